"""A ranked list re-ordered by geometric verification."""

from __future__ import annotations

import numpy as np


def order_by_inliers(
    indices: np.ndarray, similarities: np.ndarray, inliers: np.ndarray, weight: float | None = None, saturation: int = 70
) -> np.ndarray:
    """The images that were verified, re-ordered among themselves; the images behind them keep their places.

    indices       (n_query, k) int32, -1 = none
    similarities  (n_query, top) float32, top <= k, and inliers (n_query, top) integers: of the first `top` images of each list
    weight        None: by inliers, then by the place before (Cao et al., section 4.1); else by
                  similarity + weight * min(inliers, saturation) / saturation
    Returns indices (n_query, k) int32. Equal images keep their order.
    """
    top = inliers.shape[1]
    first = indices[:, :top]
    counted = np.minimum(inliers, saturation) / saturation
    value = inliers.astype(np.float64) if weight is None else similarities + weight * counted
    value = np.where(first < 0, -np.inf, value)
    order = np.argsort(-value, axis=1, kind="stable")
    return np.concatenate([np.take_along_axis(first, order, axis=1), indices[:, top:]], axis=1)
