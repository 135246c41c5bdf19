"""Explore: a walk from the query over the strongest edges of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Explore(Step):
    """Order by a walk over the strongest edges; it may find images that the search did not (Chang et al., CVPR 2019, algorithm 1).

    Edges stronger than the threshold are followed at once, the images they reach add their own edges (ops/explore.py). An image's
    score is the weakest edge that the walk needed to reach it.
    """

    neighbours: int = Field(50, ge=1, description="nearest images that an image has edges to")
    threshold: float = Field(0.5, description="edges stronger than this are followed at once")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        from landmarks.ops.explore import explore

        near = context.nearest(context.space(ranking), "index", "index", self.neighbours)
        indices, scores = explore(*context.nearest_first(ranking), *near, self.threshold)
        return replace(ranking, indices=indices, scores=scores)
