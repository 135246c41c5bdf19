"""Insert-step: index images of the query's label that were not retrieved, behind those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Insert(Step):
    """Index images of the query's label that were not retrieved come after those that were (Yokoo et al., CVPRW 2020, section 3.3).

    Inserted where s(q) + s(i) > threshold, by s(i); behind the images of that label and before all others. s(x) = max over c of
    v(x, c), as the step sort has it (ops/two_stage.py).
    """

    learns: ClassVar[bool] = True

    neighbours: int = Field(3, ge=1, description="nearest training images that vote for an image's label")
    threshold: float = Field(0.6, description="inserted where query score + image score exceeds this")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from landmarks.ops.two_stage import insert_step

        queries, images = context.votes(ranking, self.neighbours)
        return ranking.with_order(insert_step(ranking.indices, queries, images, self.threshold))
