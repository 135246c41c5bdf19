"""Verify: images whose local features lie as the query's do come first."""

from __future__ import annotations

import numpy as np

from landmarks.config import VerifySettings
from landmarks.errors import UserError
from landmarks.ops.verified_order import order_by_inliers
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def verify(ranking: Ranking, context: Context, settings: VerifySettings) -> Ranking:
    if context.count_inliers is None:
        raise UserError(
            "the step verify matches local features, and no model of the configuration has them",
            next="models.NAME.local={}, or leave the step out of the chain",
        )
    first = ranking.indices[:, : settings.top]
    queries, places = np.nonzero(first >= 0)
    inliers = np.zeros(first.shape, np.int64)
    inliers[queries, places] = context.count_inliers("test", "index", queries, first[queries, places])
    inliers[inliers < settings.least_inliers] = 0
    similarities = context.similarities(ranking, settings.top) if settings.weight is not None else np.zeros(first.shape, np.float32)
    return ranking.with_order(order_by_inliers(ranking.indices, similarities, inliers, settings.weight, settings.saturation))
