"""Classify: search with a classifier's projection and its label probabilities as parts of the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.base import MAX_WIDTH
from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Classify(Step):
    """Search again with a classifier's projection and probabilities in the vectors: a cosine-softmax head on frozen descriptors.

    score(q, i) = cos(q, i) + <f(q), f(i)> / 2 + <sqrt p(q), sqrt p(i)> / 2, where f is the head's projection and p its
    probabilities (models/descriptor_head.py). The head learns from the descriptors before whitening; what it
    says is joined to the vectors as they are so far. Source: ours; the head is CosFace's (Wang et al., CVPR 2018) with mixup.
    """

    searches: ClassVar[bool] = True
    learns: ClassVar[bool] = True

    hidden: int = Field(1024, ge=1, le=MAX_WIDTH, description="units of the head's hidden layer")
    dimensions: int = Field(256, ge=1, le=MAX_WIDTH, description="of the projection")
    epochs: int = Field(20, ge=1, description="passes over the training images")
    margin: float = Field(0.1, ge=0, lt=1, description="on the cosine of the true class")
    scale: float = Field(16.0, gt=0, description="the cosines are multiplied by this before the softmax")
    mixup: float = Field(0.4, ge=0, description="parameter of the Beta distribution in whose shares two images are mixed; 0 = never")
    kept: int = Field(16, ge=1, description="labels kept for an image, the most probable ones")
    label_dimensions: int = Field(
        512, ge=1, le=MAX_WIDTH, description="of the probabilities' part of a vector; more classes than this are sketched"
    )

    def vector_width(self, searched: int, described: int) -> int:
        return searched + self.dimensions + self.label_dimensions

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where train has fewer than two landmarks."""
        from landmarks.errors import UserError
        from landmarks.rerank.classifier import space_with_classifier, trained_head

        if context.classes < 2:
            raise UserError("the step classify tells landmarks apart, and train has fewer than two", next="leave it out of the chain")
        head = trained_head(context, self)
        space = space_with_classifier(context.space(ranking), context, head, self.label_dimensions, weights=(0.5, 0.5))
        return context.search(ranking, space)
