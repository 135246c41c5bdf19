"""Lists put in the order of new scores, and several lists as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def best_first(indices: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows ordered by `scores`, the highest first; of equal scores the earlier place stays first.

    indices  (n_query, k) int32, -1 = none, at the end of a row; scores (n_query, k), not NaN, ignored where there is none
    Returns (indices, scores) int32 and float32 of the same shape, -inf where there is none.
    """
    scores = np.where(indices >= 0, scores, -np.inf).astype(np.float32, copy=False)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(scores, order, axis=1)


def union_of_lists(lists: Sequence[np.ndarray]) -> np.ndarray:
    """Each row's images of all lists, none twice: those of the first list in its order, then what the next ones add.

    lists  each (n_query, k) int32, -1 = none; their k may differ
    Returns (n_query, as many as the longest union has) int32, -1 = none, only at the end of a row.
    """
    joined = np.concatenate(lists, axis=1)
    order = np.argsort(joined, axis=1, kind="stable")
    ordered = np.take_along_axis(joined, order, axis=1)
    repeated = np.zeros(joined.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    joined[repeated] = -1
    joined = np.take_along_axis(joined, np.argsort(joined < 0, axis=1, kind="stable"), axis=1)
    return joined[:, : int((joined >= 0).sum(axis=1).max(initial=0))]
