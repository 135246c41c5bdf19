"""k-reciprocal: images that share their mutual neighbours with the query come first."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import KReciprocalSettings
from landmarks.ops.k_reciprocal import encode
from landmarks.ops.k_reciprocal import k_reciprocal as order_by_encodings
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def k_reciprocal(ranking: Ranking, context: Context, settings: KReciprocalSettings) -> Ranking:
    space, (indices, similarities) = context.space(ranking), context.nearest_first(ranking)
    near = context.nearest(space, "index", "index", settings.k1)
    encodings = encode(space.test, indices, similarities, space.index, *near, settings.k1, settings.k2)
    indices, scores = order_by_encodings(indices, similarities, *encodings, settings.original_weight)
    return replace(ranking, indices=indices, scores=scores)
