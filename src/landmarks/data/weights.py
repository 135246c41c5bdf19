"""How much each training image counts in the loss."""

from __future__ import annotations

import numpy as np


def image_weights(labels: np.ndarray, class_weight: float, is_clean: np.ndarray | None, unclean_weight: float) -> np.ndarray | None:
    """(n,) float32; None where all are 1.

    An image of a landmark with c images gets c^-class_weight, times what makes the mean of these 1; one that is not clean this times
    `unclean_weight`.

    labels    (n,) int64
    is_clean  (n,) bool; None: all are
    """
    if class_weight == 0 and (is_clean is None or is_clean.all() or unclean_weight == 1):
        return None
    weights = np.bincount(labels)[labels].astype(np.float64) ** -class_weight
    weights /= weights.mean()
    if is_clean is not None:
        weights *= np.where(is_clean, 1.0, unclean_weight)
    return weights.astype(np.float32)
