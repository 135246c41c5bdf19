"""Verify: images whose local features lie as the query's do come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Verify(Step):
    """Images that one transform of local features maps onto the query come first (Cao et al., ECCV 2020, section 4.1).

    The first `top` images are ordered by (inliers, place before), or by cos(q, i) + weight * min(inliers, saturation) / saturation;
    the others keep their places behind them. Inliers are those of RANSAC over mutual nearest neighbours (ops/verification.py).
    """

    top: int = Field(100, ge=1, description="images of each list that are verified; the others keep their places behind them")
    min_inliers: int = Field(1, ge=1, description="fewer inliers count as none")
    weight: float | None = Field(
        None, gt=0, description="order by similarity + weight x min(inliers, saturation) / saturation; unset: by inliers, then similarity"
    )
    saturation: int = Field(70, ge=1, description="more inliers make no difference")

    @property
    def verified_images(self) -> int:
        return self.top

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where no model of the run has local features."""
        import numpy as np

        from landmarks.ops.verified_order import order_by_inliers

        first = ranking.indices[:, : self.top]
        queries, places = np.nonzero(first >= 0)
        inliers = np.zeros(first.shape, np.int64)
        inliers[queries, places] = context.inliers("test", "index", queries, first[queries, places])
        inliers[inliers < self.min_inliers] = 0
        similarities = context.similarities(ranking, self.top) if self.weight is not None else np.zeros(first.shape, np.float32)
        return ranking.with_order(order_by_inliers(ranking.indices, similarities, inliers, self.weight, self.saturation))
