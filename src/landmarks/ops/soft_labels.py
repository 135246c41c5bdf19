"""Soft re-ranking by the nearest training images' labels."""

from __future__ import annotations

import numpy as np

from landmarks.ops.ordering import best_first
from landmarks.ops.voting import Votes


def soft_labels(
    indices: np.ndarray, scores: np.ndarray, query_votes: Votes, index_votes: Votes, reward: float = 1.0, penalty: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """An image of the query's label is rewarded by its similarity to its label, an image of another label is penalised by a part of it.

        score(q, i) = cos(q, i) + reward * s(i)     where l(i) = l(q)
                      cos(q, i) - penalty * s(i)    where l(i) != l(q)
                      cos(q, i)                     where either has no label

    indices, scores  (n_query, k) int32 and float32, scores the cosines; -1 = none
    query_votes      (n_query,), index_votes (n_index,): l and s; with the vote of one neighbour, s(i) is the cosine to the
                     nearest training image, as in the winning entry of Google Landmark Retrieval 2021 (reward 1, penalty 0.1)
    Returns (indices, scores), the best first.
    """
    if len(index_votes.labels) == 0:
        return best_first(indices, scores)
    labels, own = index_votes.labels[indices], query_votes.labels[:, None]
    factors = np.where(labels == own, np.float32(reward), np.float32(-penalty))
    factors = np.where((labels < 0) | (own < 0), np.float32(0), factors)
    return best_first(indices, scores + factors * index_votes.scores[indices])
