"""Diffuse: similarity passed on from candidate to candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Diffuse(Step):
    """Order by diffusion over the candidates' mutual neighbours (Iscen et al., CVPR 2017).

    score = f, the solution of (I - alpha S) f = y: S = the normalised graph of the query's candidates, y = the similarities of the
    first of them (ops/diffusion.py).
    """

    neighbours: int = Field(20, ge=1, description="nearest images that an image has edges to, where the edge is mutual")
    seeds: int = Field(10, ge=1, description="first images of the list that the diffusion begins at")
    power: float = Field(5.0, ge=0, description="an edge's weight is the similarity to this power")
    alpha: float = Field(0.9, ge=0, lt=1, description="share that is passed on")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        from landmarks.ops.diffusion import diffusion

        near = context.nearest(context.space(ranking), "index", "index", self.neighbours)
        indices, scores = diffusion(*context.nearest_first(ranking), *near, self.seeds, self.power, self.alpha)
        return replace(ranking, indices=indices, scores=scores)
