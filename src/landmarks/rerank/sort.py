"""Sort-step: images of the query's label first."""

from __future__ import annotations

from landmarks.config import SortSettings
from landmarks.ops.two_stage import sort_step
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def sort(ranking: Ranking, context: Context, settings: SortSettings) -> Ranking:
    queries, images = context.votes(ranking, settings.neighbours)
    return ranking.with_order(sort_step(ranking.indices, queries, images))
