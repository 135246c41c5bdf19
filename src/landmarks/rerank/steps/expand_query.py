"""Expand query: queries are pulled towards the first images of their lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class ExpandQuery(Step):
    """Search again with queries that are pulled towards what they found: alpha query expansion (Radenovic et al., TPAMI 2019).

    q' = q + sum over the first images n of the list of max(cos(q, n), 0)^power * n, of length one (ops/expansion.py). With
    `reach`, only images that the query would be among the `reach` nearest index images of (as of Qin et al., CVPR 2011): a landmark of
    few images then takes in fewer of other landmarks. Such a step stands before augment_database, which draws index images together.
    """

    searches: ClassVar[bool] = True
    changes: ClassVar[tuple[str, ...]] = ("test",)

    neighbours: int = Field(10, ge=1, description="first images of the list that the query is averaged with")
    power: float = Field(2.0, ge=0, description="a neighbour's weight is its similarity to this power; 0 = plain average")
    reach: int = Field(0, ge=0, description="an image counts only where the query is as near as its own nearest so many; 0 = always")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        import numpy as np

        from landmarks.ops.expansion import expand

        space = context.space(ranking)
        found, similarities = np.ascontiguousarray(ranking.indices[:, : self.neighbours]), context.similarities(ranking, self.neighbours)
        if self.reach:
            farthest = context.nearest(space, "index", "index", self.reach)[1][:, -1]
            found = np.where((found >= 0) & (similarities >= farthest[found]), found, -1)
        test = expand(space.test, space.index, found, similarities, self.power)
        return context.search(ranking, replace(space, test=test))
