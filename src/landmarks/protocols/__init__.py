"""The protocols by which rankings are scored, by the name a configuration calls them."""

from __future__ import annotations

from collections.abc import Callable

from landmarks.config import Config
from landmarks.protocols.evaluation import Evaluation, Scores
from landmarks.protocols.places import score_places
from landmarks.protocols.recognition import score_recognition
from landmarks.protocols.record import record
from landmarks.protocols.retrieval import score_retrieval
from landmarks.protocols.revisited import score_revisited

# Scores every prefix of the run's chain; None where the dataset has no ground truth. Raises UserError for a ranking that is missing.
Protocol = Callable[[Config], Scores | None]

PROTOCOLS: dict[str, Protocol] = {
    "retrieval": score_retrieval,
    "revisited": score_revisited,
    "places": score_places,
    "recognition": score_recognition,
}

__all__ = ["PROTOCOLS", "Evaluation", "Protocol", "Scores", "record"]
