"""The measures of the Google Landmarks retrieval challenge, on arrays."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.half import native


def average_precision(predicted: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray, at: int = 100) -> np.ndarray:
    """AP@`at` of every query: sum over k <= min(n, at) of precision(k) * relevant(k), over min(m, at).

    predicted      (n_query, n) integers: image numbers, best first, -1 = none or unknown
    truth          (sum of m,) integers: the true images' numbers, query after query, none twice for one query
    truth_offsets  (n_query + 1,) int64: query q's true images are truth[offsets[q]:offsets[q + 1]]

    A repeated image counts only the first time, but its repetition takes up a rank. Returns (n_query,) float64, 0 for a query
    with no prediction, NaN for one with no true image. Source: the challenge's definition of mAP@100.
    """
    hits = relevant_places(predicted[:, :at], truth, truth_offsets)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    possible = np.minimum(np.diff(truth_offsets), at)
    return np.divide((precision * hits).sum(axis=1), possible, out=np.full(len(hits), np.nan), where=possible > 0)


def precision_at(predicted: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray, at: int) -> np.ndarray:
    """The share of true images among the first `at` places of every query, an empty place counting as wrong: (n_query,) float64.

    Shapes as in `average_precision`.
    """
    return relevant_places(predicted[:, :at], truth, truth_offsets).sum(axis=1) / at


def first_positions(predicted: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray) -> np.ndarray:
    """The place (1 = first) of each query's first true image: (n_query,) float64, one past the last place where none is found."""
    hits = relevant_places(predicted, truth, truth_offsets)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, hits.shape[1] + 1.0)


def relevant_places(predicted: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray) -> np.ndarray:
    """(n_query, n) bool: where a true image occurs for the first time in its row. Shapes as in `average_precision`."""
    predicted, truth, truth_offsets = native(predicted), native(truth), native(truth_offsets)
    images = 1 + max(int(predicted.max(initial=-1)), int(truth.max(initial=-1)))
    return _relevant(predicted, truth, truth_offsets, images, numba.get_num_threads())


@numba.njit(cache=True, nogil=True, parallel=True)
def _relevant(predicted, truth, truth_offsets, images, workers):
    queries, n = predicted.shape
    hits = np.zeros((queries, n), np.bool_)
    for worker in numba.prange(workers):
        wanted_by = np.full(images, -1, np.int32)  # "still wanted by query number": -1 once it is found
        for query in range(worker, queries, workers):
            for image in truth[truth_offsets[query] : truth_offsets[query + 1]]:
                wanted_by[image] = query
            for place in range(n):
                image = predicted[query, place]
                if image >= 0 and wanted_by[image] == query:
                    hits[query, place] = True
                    wanted_by[image] = -1
    return hits
