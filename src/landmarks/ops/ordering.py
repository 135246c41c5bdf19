"""A list put in the order of new scores."""

from __future__ import annotations

import numpy as np


def best_first(indices: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows ordered by `scores`, the highest first; of equal scores the earlier place stays first.

    indices  (n_query, k) int32, -1 = none, at the end of a row; scores (n_query, k), not NaN, ignored where there is none
    Returns (indices, scores) int32 and float32 of the same shape, -inf where there is none.
    """
    scores = np.where(indices >= 0, scores, -np.inf).astype(np.float32, copy=False)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(scores, order, axis=1)
