"""Confidence intervals of a change: the paired bootstrap over queries (Efron and Tibshirani, 1993, chapter 13)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

COUNTS_IN_MEMORY = 4_000_000  # at once, 8 bytes each


def mean_interval(differences: np.ndarray, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> np.ndarray:
    """The percentile interval of each column's mean when the rows are resampled with replacement.

    differences  (n, columns): a row a query, a column a pair of systems, each value one system's score less the other's;
                 pairs stay pairs because a query is drawn with all its differences

    Returns (2, columns) float64, the lower and the upper end; NaN without rows. All columns use the same samples, and the
    result depends only on the arguments.
    """
    values = np.asarray(differences, np.float64)
    return statistic_interval(lambda counts: counts @ values / len(values), differences.shape, samples, seed, level)


def statistic_interval(
    statistic: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int], samples: int = 10_000, seed: int = 0, level: float = 0.95
) -> np.ndarray:
    """The same of statistics that need not be means.

    statistic  counts (b, n) float64, how often each row was drawn in each of b resamples -> (b, columns)
    shape      (n, columns)
    """
    n, columns = shape
    if n == 0:
        return np.full((2, columns), np.nan)
    rng = np.random.default_rng(seed)
    drawn = np.empty((samples, columns))
    block = max(1, COUNTS_IN_MEMORY // n)
    for start in range(0, samples, block):
        counts = np.empty((min(block, samples - start), n))
        for row in counts:
            row[:] = np.bincount(rng.integers(n, size=n), minlength=n)
        drawn[start : start + len(counts)] = statistic(counts)
    return np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
