"""SuperGlobal: candidates refined by one another, compared with a query pooled from the best of them."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import SuperGlobalSettings
from landmarks.ops.super_global import super_global as order_by_refined
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def super_global(ranking: Ranking, context: Context, settings: SuperGlobalSettings) -> Ranking:
    space, (indices, _) = context.space(ranking), context.nearest_first(ranking)
    indices, scores = order_by_refined(space.test, space.index, indices, settings.neighbours, settings.beta, settings.pooling)
    return replace(ranking, indices=indices, scores=scores)
