"""Sparse rows over the index images: their means, and the overlap of two of them."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np


class SparseRows(NamedTuple):
    """Row x has weights[starts[x]:starts[x + 1]] at images[starts[x]:starts[x + 1]], in no order, none twice.

    starts (n + 1,) int64, images (m,) int32, weights (m,) float32
    """

    starts: np.ndarray
    images: np.ndarray
    weights: np.ndarray


def mean_rows(own: SparseRows, others: SparseRows, lists: np.ndarray) -> SparseRows:
    """The mean of each row of `own` (n rows) and the rows of `others` (n_index rows) that `lists` names for it.

    lists (n, k) int32, -1 = none; the sum is divided by the number of rows that there are
    """
    return SparseRows(*_mean_rows(*own, *others, lists, len(others.starts) - 1, numba.get_num_threads()))


def overlaps(indices: np.ndarray, queries: SparseRows, index: SparseRows) -> np.ndarray:
    """The sum of the smaller weights of each query's row and each candidate's: (n_query, k) float32, 0 where there is no candidate.

    indices (n_query, k) int32, -1 = none, at the end of a row; queries (n_query rows), index (n_index rows)
    """
    return _overlaps(indices, *queries, *index, numba.get_num_threads())


@numba.njit(cache=True, nogil=True, parallel=True)
def _mean_rows(own_starts, own_images, own_weights, starts, images, weights, lists, columns, workers):
    rows = len(own_starts) - 1
    new_starts = np.zeros(rows + 1, np.int64)
    for worker in numba.prange(workers):
        seen_by = np.full(columns, -1, np.int32)
        for row in range(worker, rows, workers):
            count = _count_new(row, own_images[own_starts[row] : own_starts[row + 1]], seen_by)
            for other in lists[row]:
                if other >= 0:
                    count += _count_new(row, images[starts[other] : starts[other + 1]], seen_by)
            new_starts[row + 1] = count
    for row in range(rows):
        new_starts[row + 1] += new_starts[row]
    new_images, new_weights = np.empty(new_starts[rows], np.int32), np.empty(new_starts[rows], np.float32)
    for worker in numba.prange(workers):
        place_of = np.full(columns, -1, np.int64)
        for row in range(worker, rows, workers):
            start, mixed = new_starts[row], 1
            end = _add(row, own_starts, own_images, own_weights, start, start, place_of, new_images, new_weights)
            for other in lists[row]:
                if other >= 0:
                    end = _add(other, starts, images, weights, start, end, place_of, new_images, new_weights)
                    mixed += 1
            for entry in range(start, end):
                new_weights[entry] /= np.float32(mixed)
    return new_starts, new_images, new_weights


@numba.njit(cache=True, nogil=True)
def _count_new(row, images, seen_by):
    count = 0
    for image in images:
        count += seen_by[image] != row
        seen_by[image] = row
    return count


@numba.njit(cache=True, nogil=True)
def _add(row, starts, images, weights, start, end, place_of, new_images, new_weights):
    """Add a sparse row to the new one, which is at start:end so far; returns its end. A place before `start` belongs to an earlier row."""
    for entry in range(starts[row], starts[row + 1]):
        place = place_of[images[entry]]
        if place < start:
            place = end
            place_of[images[entry]], new_images[place], new_weights[place] = place, images[entry], 0
            end += 1
        new_weights[place] += weights[entry]
    return end


@numba.njit(cache=True, nogil=True, parallel=True)
def _overlaps(indices, query_starts, query_images, query_weights, starts, images, weights, workers):
    result = np.zeros(indices.shape, np.float32)
    for worker in numba.prange(workers):
        weight_of = np.zeros(len(starts) - 1, np.float32)
        for query in range(worker, len(indices), workers):
            for entry in range(query_starts[query], query_starts[query + 1]):
                weight_of[query_images[entry]] = query_weights[entry]
            for position in range(indices.shape[1]):
                image = indices[query, position]
                if image < 0:
                    break
                total = np.float32(0)
                for entry in range(starts[image], starts[image + 1]):
                    total += min(weights[entry], weight_of[images[entry]])
                result[query, position] = total
            for entry in range(query_starts[query], query_starts[query + 1]):
                weight_of[query_images[entry]] = 0
    return result
