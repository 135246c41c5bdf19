"""The settings of the re-ranking steps, and the chain they form."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Union

from pydantic import Field

from landmarks.config.base import Settings


class SortSettings(Settings):
    """Images whose label is the query's come first (Yokoo et al., section 3.3)."""

    step: Literal["sort"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")


class InsertSettings(Settings):
    """Index images of the query's label that were not retrieved come after those that were (Yokoo et al., section 3.3)."""

    step: Literal["insert"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")
    threshold: float = Field(0.6, description="inserted where query score + image score exceeds this")


STEPS = {"sort": SortSettings, "insert": InsertSettings}
Step = Annotated[Union[tuple(STEPS.values())], Field(discriminator="step")]  # noqa: UP007 - made from the table above
Chain = tuple[Step, ...]


def chain_names(chain: Chain) -> list[str]:
    """The name of every prefix of `chain`, which is also its folder: knn, then the steps so far joined with "+"."""
    steps = [step_name(step) for step in chain]
    return ["knn"] + [_short("+".join(steps[: n + 1])) for n in range(len(steps))]


def step_name(step: Step) -> str:
    """The step and those of its settings that are not the default, as in "insert(threshold=0.7)"."""
    changed = [f"{key}={value}" for key, value in step.model_dump(exclude_defaults=True, exclude={"step"}).items()]
    return step.step + (f"({','.join(changed)})" if changed else "")


def _short(name: str) -> str:
    """Names of folders end at 255 bytes."""
    return name if len(name) <= 160 else f"{name[:140]}...{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}"
