"""Insert-step: index images of the query's label that were not retrieved, behind those that were."""

from __future__ import annotations

from landmarks.config import InsertSettings
from landmarks.ops.two_stage import insert_step
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def insert(ranking: Ranking, context: Context, settings: InsertSettings) -> Ranking:
    queries, images = context.votes(ranking, settings.neighbours)
    return ranking.with_order(insert_step(ranking.indices, queries, images, settings.threshold))
