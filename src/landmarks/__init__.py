"""Landmark retrieval: a photo comes in, the hundred photos of the same landmark come out, best first.

From Python, without folders or configurations:

    rerank_arrays   search arrays of descriptors and re-rank them by a chain of steps
    score_ranking   mAP@100 and precisions of a ranking against the truth
    verify_pair     matches and inliers of two photos' local features

and with what the command line has made:

    open_run        a run folder: its configuration, scores and rankings; descriptors of any picture, and a search for it

Step, Ranking, Space and Context are what a re-ranking step of one's own is written with; UserError is what is raised for a
mistake that its message can help with. These names are stable within a minor version; what is not listed here is not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landmarks.api.arrays import rerank_arrays, score_ranking
    from landmarks.api.pairs import Features, verify_pair
    from landmarks.api.run import Run, open_run
    from landmarks.config.step import Step
    from landmarks.errors import UserError
    from landmarks.ranking import Ranking, Space
    from landmarks.rerank.context import Context

__version__ = "0.2.0"

_MODULES = {
    "rerank_arrays": "api.arrays",
    "score_ranking": "api.arrays",
    "Features": "api.pairs",
    "verify_pair": "api.pairs",
    "Run": "api.run",
    "open_run": "api.run",
    "Step": "config.step",
    "UserError": "errors",
    "Ranking": "ranking",
    "Space": "ranking",
    "Context": "rerank.context",
}

__all__ = [
    "Context",
    "Features",
    "Ranking",
    "Run",
    "Space",
    "Step",
    "UserError",
    "__version__",
    "open_run",
    "rerank_arrays",
    "score_ranking",
    "verify_pair",
]


def __getattr__(name: str) -> Any:
    """Imported when first used: `import landmarks` loads nothing heavy."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"landmarks.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'landmarks' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
