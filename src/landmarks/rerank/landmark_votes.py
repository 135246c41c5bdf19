"""Which landmark of train each query shows, by the vote of the training images that it is most like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from landmarks.config import RecognizeSettings
from landmarks.errors import UserError
from landmarks.ops.non_landmark import mean_similarity
from landmarks.ops.recognition import demote_frequent, recognition_votes
from landmarks.ops.voting import Votes, label_votes
from landmarks.ranking import Space
from landmarks.rerank.context import Context


def landmark_votes(
    context: Context, space: Space, settings: RecognizeSettings, inliers: Callable[[np.ndarray], np.ndarray] | None = None
) -> Votes:
    """The landmark, a label of the context, and the confidence of each query of the space, -1 = none.

    inliers  rows of train (n_query, k), -1 = none -> inliers (n_query, k) of each query with them; None: cosines alone vote
    Raises UserError where train has no image of a landmark of settings.non_landmark_ids.
    """
    voters, others = voters_and_others(context, settings.non_landmark_ids)
    found, cosines = _nearest_voters(context, space, voters, settings.neighbours)
    labels = np.append(context.labels, -1)[found]
    if inliers is not None:
        votes = recognition_votes(labels, inliers(found), cosines, settings.cosine_weight)
    else:
        votes = label_votes(labels, cosines)
    if len(others):
        _, similarities = context.search_vectors(
            space.test, space.train[others], settings.non_landmark_neighbours, "search test in non-landmarks"
        )
        votes = Votes(votes.labels, votes.scores - np.float32(settings.non_landmark_weight) * mean_similarity(similarities))
    return Votes(votes.labels, demote_frequent(votes, settings.frequent)) if settings.frequent else votes


def voters_and_others(context: Context, non_landmark_ids: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train that show a landmark, and rows that show none: those of non_landmark_ids.

    Raises UserError where train has no image of one of these.
    """
    absent = sorted(set(non_landmark_ids) - set(context.landmark_ids.tolist()))
    if absent:
        raise UserError(
            f"train has no image of the landmark {absent[0]}",
            where="recognize.non_landmark_ids",
            next="give ids that the train table holds",
        )
    shows_none = np.isin(context.landmark_ids, non_landmark_ids)
    return np.flatnonzero(~shows_none), np.flatnonzero(shows_none)


def _nearest_voters(context: Context, space: Space, voters: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train (n_query, neighbours), -1 = none, and cosines float32, -inf = none."""
    if len(voters) == len(space.train):
        return context.nearest(space, "test", "train", neighbours)
    found, cosines = context.search_vectors(space.test, space.train[voters], neighbours, "search test in train")
    return np.append(voters, -1)[found], cosines
