"""Penalise non-landmarks: what looks like images without a landmark moves back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmarks.config import PenaliseNonLandmarksSettings
from landmarks.errors import UserError
from landmarks.ops.non_landmark import non_landmark_penalty
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def penalise_non_landmarks(ranking: Ranking, context: Context, settings: PenaliseNonLandmarksSettings) -> Ranking:
    rows = np.flatnonzero(np.isin(context.landmark_ids, settings.landmark_ids))
    if len(rows) == 0:
        raise UserError(
            f"train has no image of the landmarks {', '.join(map(str, settings.landmark_ids))}",
            where="rerank, step penalise_non_landmarks",
            next="landmark_ids=[...] with ids that the train table holds",
        )
    space = context.space(ranking)
    _, similarities = context.search_vectors(space.index, space.train[rows], settings.neighbours, "search index in non-landmarks")
    indices, scores = non_landmark_penalty(*context.nearest_first(ranking), similarities, settings.weight)
    return replace(ranking, indices=indices, scores=scores)
