"""Expand query: queries are pulled towards the first images of their lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmarks.config import ExpandQuerySettings
from landmarks.ops.expansion import expand
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def expand_query(ranking: Ranking, context: Context, settings: ExpandQuerySettings) -> Ranking:
    space = context.space(ranking)
    found = np.ascontiguousarray(ranking.indices[:, : settings.neighbours])
    test = expand(space.test, space.index, found, context.similarities(ranking, settings.neighbours), settings.power)
    return context.search(ranking, replace(space, test=test, folder=None))
