"""Which training images an epoch has, and in which order: the samplers."""

from __future__ import annotations

import numpy as np


def epoch_length(labels: np.ndarray, sampler: str) -> int:
    """How many images an epoch draws: all of them once, or as many; with `pairs` two for every two of a landmark, and two where it has one.

    labels  (n,) int64
    """
    if sampler != "pairs":
        return len(labels)
    counts = np.bincount(labels)
    return int(2 * np.maximum(counts // 2, counts > 0).sum())


def draw_epoch(labels: np.ndarray, sampler: str, random: np.random.Generator) -> np.ndarray:
    """Rows of the train table in the order of an epoch: (epoch_length,) int64.

    sampler  uniform: every image once
             square_root: a landmark of c images comes in proportion to the square root of c, and of its images those that came
             least come next; rare landmarks repeat theirs, large ones leave some out, others in each epoch
             pairs: two images of a landmark at a time, one after the other; the odd one is left out, another in each epoch, and a
             landmark's only image comes twice
    """
    if sampler == "uniform":
        return random.permutation(len(labels))
    counts = np.bincount(labels)
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # landmark after landmark, each in a random order
    starts = np.cumsum(counts) - counts
    if sampler == "pairs":
        return _pairs(counts, starts, order, random)
    times = _quotas(np.sqrt(counts), len(labels), random.random())
    landmark = np.repeat(np.arange(len(counts)), times)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(times) - times, times)
    return random.permutation(order[starts[landmark] + place % counts[landmark]])


def occurrences(rows: np.ndarray) -> np.ndarray:
    """How many times each row came before in `rows`: (n,) int64."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[first, len(rows)])
    result = np.empty(len(rows), np.int64)
    result[order] = np.arange(len(rows)) - np.repeat(first, lengths)
    return result


def _quotas(weights: np.ndarray, total: int, start: float) -> np.ndarray:
    """Whole numbers that sum to `total`, each its weight's share rounded up or down (systematic sampling from `start` in [0, 1))."""
    ends = total * np.cumsum(weights) / weights.sum()
    ends[-1] = total
    return np.diff(np.floor(np.r_[0.0, ends] + start)).astype(np.int64)


def _pairs(counts: np.ndarray, starts: np.ndarray, order: np.ndarray, random: np.random.Generator) -> np.ndarray:
    pairs = np.maximum(counts // 2, counts > 0)
    landmark = np.repeat(np.arange(len(counts)), pairs)
    place = 2 * (np.arange(len(landmark)) - np.repeat(np.cumsum(pairs) - pairs, pairs))
    first = starts[landmark] + place
    second = np.where(counts[landmark] > 1, first + 1, first)
    return random.permutation(np.stack([order[first], order[second]], axis=1)).reshape(-1)
