"""Explore: a walk from the query over the strongest edges of the index."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import ExploreSettings
from landmarks.ops.explore import explore as walk
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def explore(ranking: Ranking, context: Context, settings: ExploreSettings) -> Ranking:
    near = context.nearest(context.space(ranking), "index", "index", settings.neighbours)
    indices, scores = walk(*context.nearest_first(ranking), *near, settings.threshold)
    return replace(ranking, indices=indices, scores=scores)
