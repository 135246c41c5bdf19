"""Images taken out of ranked lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def remove_images(indices: np.ndarray, scores: np.ndarray, unwanted: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The lists without each query's unwanted images; the images behind them move up.

    indices (n_query, k) int32, -1 = none; scores (n_query, k) float32; unwanted: for each query (m,) integers
    Returns both in the same shape, filled up with -1 and -inf.
    """
    keep = np.stack([~np.isin(row, images) for row, images in zip(indices, unwanted, strict=True)]) if len(indices) else indices >= 0
    order = np.argsort(~keep, axis=1, kind="stable")
    kept = np.take_along_axis(keep, order, axis=1)
    indices = np.where(kept, np.take_along_axis(indices, order, axis=1), np.int32(-1))
    scores = np.where(kept, np.take_along_axis(scores, order, axis=1), np.float32(-np.inf))
    return indices.astype(np.int32, copy=False), scores.astype(np.float32, copy=False)
