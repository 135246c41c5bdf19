"""Add labels: search with what the training labels say of every image as a part of its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.base import MAX_WIDTH
from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class AddLabels(Step):
    """Search again with label distributions in the vectors, spread from train over the nearest neighbours.

    score(q, i) = cos(q, i) + weight * <p(q), p(i)>, where p(x) = sum over the neighbours n of x, in train and index, of
    cos(x, n)^power * p(n), normalised; a training image's p is its own label (label propagation, Zhu and Ghahramani, 2002;
    ops/label_spread.py). An image of a landmark that train does not know is surrounded by index images without labels: its vector
    stays as it was.
    """

    searches: ClassVar[bool] = True
    learns: ClassVar[bool] = True

    neighbours: int = Field(20, ge=1, description="nearest images, of train and index together, that an image's labels come from")
    power: float = Field(8.0, ge=0, description="a neighbour's weight is its similarity to this power")
    rounds: int = Field(2, ge=1, description="how often the labels are passed on from index image to index image")
    weight: float = Field(2.0, gt=0, description="of the labels' inner product beside the similarity")
    kept: int = Field(16, ge=1, description="labels kept for an image, those with the largest shares")
    dimensions: int = Field(512, ge=1, le=MAX_WIDTH, description="of the labels' part of a vector; more classes than this are sketched")

    def vector_width(self, searched: int, described: int) -> int:
        return searched + self.dimensions

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from landmarks.ops.label_spread import class_axes
        from landmarks.rerank.vectors import label_distributions, space_with_labels

        space = context.space(ranking)
        distributions = label_distributions(space, context, self)
        axes = class_axes(context.classes, self.dimensions)
        return context.search(ranking, space_with_labels(space, context, distributions, axes, self.weight))
