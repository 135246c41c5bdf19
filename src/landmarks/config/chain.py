"""The settings of the re-ranking steps, and the chain they form."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Union

from pydantic import Field

from landmarks.config.base import Settings


class DiscriminateSettings(Settings):
    """Search again where landmarks lie apart: a projection learned from train's labels, in closed form (Ioffe, ECCV 2006)."""

    step: Literal["discriminate"]
    dimensions: int = Field(256, ge=1, description="dimensions of the projection, the most telling first; as many as there are behind it")
    within: float | None = Field(
        None, ge=0, le=1, description="shrinkage of the covariance within landmarks towards the identity; unset: from the data"
    )


class AddLabelsSettings(Settings):
    """Search again with label distributions in the vectors, spread from train over the nearest neighbours (Zhu and Ghahramani, 2002)."""

    step: Literal["add_labels"]
    neighbours: int = Field(20, ge=1, description="nearest images, of train and index together, that an image's labels come from")
    power: float = Field(8.0, ge=0, description="a neighbour's weight is its similarity to this power")
    rounds: int = Field(2, ge=1, description="how often the labels are handed on from index image to index image")
    weight: float = Field(2.0, gt=0, description="of the labels' inner product beside the similarity")
    kept: int = Field(16, ge=1, description="labels kept for an image, those with the largest shares")
    dimensions: int = Field(512, ge=1, description="of the labels' part of a vector; more classes than this are sketched")


class AugmentDatabaseSettings(Settings):
    """Search again among index images that are pulled towards their neighbours (Arandjelovic and Zisserman, CVPR 2012)."""

    step: Literal["augment_database"]
    neighbours: int = Field(10, ge=1, description="nearest index images that an index image is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power")


class ExpandQuerySettings(Settings):
    """Search again with queries that are pulled towards what they found (Radenovic et al., TPAMI 2019)."""

    step: Literal["expand_query"]
    neighbours: int = Field(10, ge=1, description="first images of the list that the query is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power; 0 = plain average")


class VerifySettings(Settings):
    """Images that one transform of local features maps onto the query come first (Cao et al., ECCV 2020)."""

    step: Literal["verify"]
    top: int = Field(100, ge=1, description="images of each list that are verified; the others keep their places behind them")
    least_inliers: int = Field(1, ge=1, description="fewer inliers count as none")
    weight: float | None = Field(
        None, gt=0, description="order by similarity + weight x min(inliers, saturation) / saturation; unset: by inliers, then similarity"
    )
    saturation: int = Field(70, ge=1, description="more inliers say nothing more")


class SortSettings(Settings):
    """Images whose label is the query's come first (Yokoo et al., section 3.3)."""

    step: Literal["sort"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")


class InsertSettings(Settings):
    """Index images of the query's label that were not retrieved come after those that were (Yokoo et al., section 3.3)."""

    step: Literal["insert"]
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")
    threshold: float = Field(0.6, description="inserted where query score + image score exceeds this")


STEPS = {
    "discriminate": DiscriminateSettings,
    "add_labels": AddLabelsSettings,
    "augment_database": AugmentDatabaseSettings,
    "expand_query": ExpandQuerySettings,
    "verify": VerifySettings,
    "sort": SortSettings,
    "insert": InsertSettings,
}
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
