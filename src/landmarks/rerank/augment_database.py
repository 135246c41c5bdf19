"""Augment database: index images are pulled towards their neighbours before the search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmarks.config import AugmentDatabaseSettings
from landmarks.ops.expansion import expand
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def augment_database(ranking: Ranking, context: Context, settings: AugmentDatabaseSettings) -> Ranking:
    space = context.space(ranking)
    near, similarities = context.nearest(space, "index", "index", settings.neighbours)
    index = expand(space.index, space.index, near, similarities, settings.power, np.arange(len(space.index)))
    return context.search(ranking, replace(space, index=index, folder=None))
