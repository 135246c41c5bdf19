"""Add classes: search with train's landmarks, and the index's own communities where train knows none, as a part of every vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.base import MAX_WIDTH
from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class AddClasses(Step):
    """Search again with classes in the vectors: train's landmarks for images that train knows, communities of the index for others.

    vector(x) = [v(x), sqrt(weight) k(x)^2 p(x), sqrt(community_weight) (1 - k(x)) c(x)], of length one; v = the vector so far. k is how
    known the image is: the sum of label shares spread from train, on a scale on which training images have 1, averaged with what is learned
    of such sums from training images with and without their landmark (ops/how_known.py), for the share of known landmarks that the queries
    together seem to have. p is the geometric mean of those shares and a classifier's probabilities (ops/known_labels.py); c are shares of
    communities, as add_communities has them.
    Behind averages with neighbours it gives the labels back that these have blurred. Shares and classifier are of the discriminant of
    train, whatever was searched before. Source: ours.
    """

    searches: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    revision: ClassVar[int] = 2

    neighbours: int = Field(20, ge=1, description="nearest images, of train and index together, that an image's labels come from")
    power: float = Field(8.0, ge=0, description="a neighbour's weight is its similarity to this power")
    kept: int = Field(16, ge=1, description="labels kept for an image, those with the largest shares")
    floor: float = Field(0.02, ge=0, description="added to the classifier's probabilities: what it cannot take away")
    weight: float = Field(6.0, gt=0, description="of the labels' inner product beside the similarity")
    community_weight: float = Field(2.0, ge=0, description="of the communities' inner product beside the similarity")
    members: float = Field(10.0, gt=0, description="the larger, the larger the communities: in index images a landmark of train")
    dimensions: int = Field(512, ge=1, le=MAX_WIDTH, description="of labels, and of communities, in a vector; more than this are sketched")
    seed: int = Field(0, ge=0, description="another seed, another sample of training images to learn the scale from")

    def vector_width(self, searched: int, described: int) -> int:
        return searched + 2 * self.dimensions

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where train has fewer than two landmarks."""
        from landmarks.errors import UserError
        from landmarks.rerank.classes import space_with_classes

        if context.classes < 2:
            raise UserError("the step add_classes tells landmarks apart, and train has fewer than two", next="leave it out of the chain")
        return context.search(ranking, space_with_classes(context.space(ranking), context, self))
