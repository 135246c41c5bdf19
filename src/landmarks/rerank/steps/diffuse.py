"""Diffuse: similarity passed on from candidate to candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class Diffuse(Step):
    """Order by diffusion over the candidates' mutual neighbours (Iscen et al., CVPR 2017).

    score = f, the solution of (I - alpha S) f = y: S = the normalised graph of the query's candidates, y = the similarities of the
    first of them (ops/diffusion.py). With `candidates` these are searched anew, more of them than the list holds, so that similarity
    reaches images that the list lacks: with 300 that is as good as all of the index (EXPERIMENTS.md). With `weight` the score is
    the similarity + weight * f, where f is scaled to at most one. With `earlier`, + weight * f' as well: f' is f on the neighbours in
    the vectors before the last search (ours). What steps before it did to the order alone is lost.
    """

    neighbours: int = Field(20, ge=1, description="nearest images that an image has edges to, where the edge is mutual")
    seeds: int = Field(10, ge=1, description="first images of the list that the diffusion begins at")
    power: float = Field(5.0, ge=0, description="an edge's weight is the similarity to this power")
    alpha: float = Field(0.9, ge=0, lt=1, description="share that is passed on")
    candidates: int = Field(0, ge=0, description="images searched for a query that similarity is passed on among; 0 = those of the list")
    weight: float = Field(0.0, ge=0, description="of f beside the similarity; 0 = f alone counts")
    earlier: bool = Field(False, description="pass similarity on among neighbours in the vectors before the last search, too; needs weight")

    @model_validator(mode="after")
    def _earlier_is_beside_the_similarity(self) -> Diffuse:
        if self.earlier and not self.weight:
            raise ValueError("earlier needs a weight above 0")
        return self

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        import numpy as np

        from landmarks.ops.diffusion import diffusion

        space, kept = context.space(ranking), ranking.indices.shape[1]
        near = context.nearest(space, "index", "index", self.neighbours)
        if self.candidates:
            found = context.nearest(space, "test", "index", max(self.candidates, kept))
        else:
            found = context.nearest_first(ranking)
        second = context.nearest(context.space_before(ranking), "index", "index", self.neighbours) if self.earlier else None
        if second is not None and all(map(np.array_equal, near, second)):  # the last search changed the queries alone, or is the first
            second = None
        indices, scores = diffusion(*found, *near, self.seeds, self.power, self.alpha, weight=self.weight or None, second=second)
        return replace(ranking, indices=np.ascontiguousarray(indices[:, :kept]), scores=np.ascontiguousarray(scores[:, :kept]))
