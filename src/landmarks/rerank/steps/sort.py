"""Sort-step: images of the query's label first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Sort(Step):
    """Images whose label is the query's come first (Yokoo et al., CVPRW 2020, section 3.3).

    A stable partition of the list: l(i) = l(q) first, order kept inside both groups. l(x) = argmax over c of
    v(x, c) = 1/k * sum of cos(x, t) over the k nearest training images t of label c (ops/voting.py, ops/two_stage.py).
    """

    learns: ClassVar[bool] = True

    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from landmarks.ops.two_stage import sort_step

        queries, images = context.votes(ranking, self.neighbours)
        return ranking.with_order(sort_step(ranking.indices, queries, images))
