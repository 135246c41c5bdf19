"""Margins that grow as a class gets rarer."""

from __future__ import annotations

import numpy as np

_POWER = 1 / 4  # as published


def margins_by_frequency(counts: np.ndarray, frequent: float, rare: float) -> np.ndarray:
    """The margin of each class: (classes,) float64, from `frequent`, that of the largest class, to `rare`, that of the smallest.

    t_c = n_c^(-1/4), scaled linearly so that its smallest value gets `frequent` and its largest `rare` (third place of Google Landmark
    Recognition 2020, arXiv 2010.05350: from 0.05 to 0.5). Classes of one size all have `frequent`.

    counts  (classes,) images of each class, 1 or more
    Raises ValueError for a class without images.
    """
    counts = np.asarray(counts, np.float64)
    if (counts < 1).any():
        raise ValueError("every class needs an image")
    rarity = counts**-_POWER
    span = rarity.max() - rarity.min()
    return frequent + (rare - frequent) * (rarity - rarity.min()) / (span if span > 0 else 1.0)
