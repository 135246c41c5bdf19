"""k-reciprocal: images that share their mutual neighbours with the query come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class KReciprocal(Step):
    """Order by the neighbours that query and image share mutually (Zhong et al., CVPR 2017).

    score(q, i) = (1 - original_weight) * Jaccard(V(q), V(i)) + original_weight * cos(q, i), V = the encoding of an image by its
    mutual neighbours (ops/k_reciprocal.py).
    """

    k1: int = Field(20, ge=2, description="nearest images that make an image's reciprocal set")
    k2: int = Field(6, ge=1, description="nearest images whose encodings are averaged")
    original_weight: float = Field(0.3, ge=0, le=1, description="share of the similarity itself (lambda)")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        from landmarks.ops.k_reciprocal import encode, k_reciprocal

        space, (indices, similarities) = context.space(ranking), context.nearest_first(ranking)
        near = context.nearest(space, "index", "index", self.k1)
        encodings = encode(space.test, indices, similarities, space.index, *near, self.k1, self.k2)
        indices, scores = k_reciprocal(indices, similarities, *encodings, self.original_weight)
        return replace(ranking, indices=indices, scores=scores)
