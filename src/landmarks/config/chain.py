"""The chain of re-ranking steps."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from landmarks.config.step import Step


def _as_list(value: Any) -> Any:
    """A chain may be typed as names alone: sort,insert. Nothing is the empty chain."""
    if value is None:
        return []
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Chain = Annotated[tuple[SerializeAsAny[Step], ...], BeforeValidator(_as_list)]


def chain_names(chain: Chain) -> list[str]:
    """The name of every prefix of `chain`, which is also its folder: knn, then the steps so far joined with "+"."""
    steps = [step_name(step) for step in chain]
    return ["knn"] + [_as_folder("+".join(steps[: n + 1])) for n in range(len(steps))]


def step_name(step: Step) -> str:
    """The step and those of its settings that are not the default, as in "insert(threshold=0.7)"."""
    changed = [f"{key}={value}" for key, value in step.model_dump(exclude_defaults=True, exclude={"step"}).items()]
    return step.step + (f"({','.join(changed)})" if changed else "")


def verifies(chain: Chain) -> bool:
    """Whether a step of the chain asks for the inliers of pairs."""
    return any(step.verified_images for step in chain)


def chooses(chain: Chain) -> bool:
    """Whether other steps are chosen in place of one of the chain."""
    return any(step.chooses for step in chain)


def first_verifying(chain: Chain) -> int:
    """The place of the first step that verifies; the length of the chain where none does."""
    return next((place for place, step in enumerate(chain) if step.verified_images), len(chain))


def verified_images(chain: Chain) -> int:
    """First images of each list that the chain verifies, at most; 0 where it verifies none."""
    return max((step.verified_images for step in chain), default=0)


def learning_from_inliers(chain: Chain) -> list[int]:
    """The places of the steps that learn from inliers of training images: those behind a step that verifies."""
    return [place for place, step in enumerate(chain) if step.training_images and place > first_verifying(chain)]


def matched_splits(chain: Chain) -> tuple[str, ...]:
    """The splits whose local features the chain matches."""
    if not verifies(chain):
        return ()
    return ("test", "index", "train") if learning_from_inliers(chain) else ("test", "index")


def require_places(chain: Chain, neighbours: int) -> None:
    """Raise ValueError where a step of the chain cannot work at its place, on lists of that length."""
    for place, step in enumerate(chain):
        step.require_place(chain[:place], neighbours)


def _as_folder(name: str) -> str:
    """Names of folders end at 255 bytes and hold no slash."""
    plain = name.replace("/", "_")
    if plain == name and len(name.encode()) <= 160:
        return name
    return f"{plain[:140]}...{hashlib.blake2b(name.encode(), digest_size=6).hexdigest()}"
