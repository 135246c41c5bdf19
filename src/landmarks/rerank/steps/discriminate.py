"""Discriminate: search where the training labels say that landmarks lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Discriminate(Step):
    """Search again with a projection learned from train's labels, in closed form, beside a whitening for all other landmarks.

    vector(x) = [P(x), W(x)] / sqrt(2): P = probabilistic linear discriminant analysis (Ioffe, ECCV 2006), W = a whitening with
    shrinkage (Ledoit and Wolf, 2004), each of length one; formulas in ops/discriminant.py. Both begin at the descriptors before
    whitening: what whitening cut off may tell landmarks apart.
    """

    searches: ClassVar[bool] = True
    learns: ClassVar[bool] = True

    dimensions: int = Field(
        256, ge=1, description="dimensions of the projection, the most discriminative first; at most those of the descriptors"
    )
    within: float | None = Field(
        None, ge=0, le=1, description="shrinkage of the covariance within landmarks towards the identity; unset: from the data"
    )

    def vector_width(self, searched: int, described: int) -> int:
        return min(self.dimensions, described) + described

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where train has fewer than two images."""
        from landmarks.errors import UserError
        from landmarks.rerank.vectors import discriminant_space

        if len(context.labels) < 2:
            raise UserError("the step discriminate learns from train, which has fewer than two images", next="leave it out of the chain")
        return context.search(ranking, discriminant_space(context, self.dimensions, self.within))
