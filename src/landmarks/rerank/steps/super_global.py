"""SuperGlobal: candidates refined by one another, compared with a query pooled from the best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class SuperGlobal(Step):
    """Order by descriptors refined among the candidates (Shao et al., ICCV 2023, section 3.3).

    score(i) = (q . r(i) + pool(q) . r(i)) / 2, r(i) = the candidate drawn towards its nearest candidates by beta, pool(q) = the
    refined descriptors of the best candidates, pooled (ops/super_global.py).
    """

    neighbours: int = Field(9, ge=1, description="candidates that refine a candidate, and that the query is pooled from")
    beta: float = Field(0.15, ge=0, description="how far a candidate is drawn towards its neighbours")
    pooling: Literal["max", "mean"] = Field(
        "mean", description="how the query's pool is made; max is for descriptors without negative parts"
    )

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        from landmarks.ops.super_global import super_global

        space, (indices, _) = context.space(ranking), context.nearest_first(ranking)
        indices, scores = super_global(space.test, space.index, indices, self.neighbours, self.beta, self.pooling)
        return replace(ranking, indices=indices, scores=scores)
