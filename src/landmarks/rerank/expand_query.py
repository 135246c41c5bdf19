"""Expand query: queries are pulled towards the first images of their lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmarks.config import ExpandQuerySettings
from landmarks.ops.expansion import expand
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context


def expand_query(ranking: Ranking, context: Context, settings: ExpandQuerySettings) -> Ranking:
    space = context.space(ranking)
    found = np.ascontiguousarray(ranking.indices[:, : settings.neighbours])
    similarities = _similarities(space, found)
    test = expand(space.test, space.index, found, similarities, settings.power)
    return context.search(ranking, replace(space, test=test, folder=None))


def _similarities(space: Space, found: np.ndarray) -> np.ndarray:
    """Anew, (n_query, k) float32: an earlier step may have re-ordered the list, and then its scores are places."""
    similarities = np.empty(found.shape, np.float32)
    for row, images in enumerate(found):
        similarities[row] = space.index[images].astype(np.float32) @ space.test[row].astype(np.float32)
    return similarities
