"""Mutual nearest neighbours between the descriptors of two images."""

from __future__ import annotations

import numba
import numpy as np

ROWS = 256  # of the product at a time, so that it stays in the cache until it is scanned


def mutual_matches(
    query: np.ndarray,
    index: np.ndarray,
    query_factors: np.ndarray | None = None,
    index_factors: np.ndarray | None = None,
    max_distance: float = 1.0,
    ratio: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows, each the other's nearest in L2; of equally near rows the lower one counts.

    query, index   (m, d), (n, d) float32, float16 or both int8: unit vectors, int8 once multiplied by their factors
    factors        (m,), (n,) float32, with int8
    max_distance   pairs further apart than this are no match; the cosine must be positive too (a distance below 1.41)
    ratio          a match's ratio must be at most this; 1 = any
    Returns (matches, 2) int32 rows of query and index, ascending in the query row, and (matches,) float32 ratios: the match's
    distance / the query row's distance to its second nearest, or to something orthogonal where that is nearer.

    Distances are those of unit vectors, sqrt(2 - 2 cosine). Torch multiplies, with as many threads as it is set to; the integer
    product of int8 is exact, and the result of a float product depends on nothing but the two arrays on a given machine.
    """
    m, n = len(query), len(index)
    query_factors = np.ones(m, np.float32) if query_factors is None else query_factors
    index_factors = np.ones(n, np.float32) if index_factors is None else index_factors
    best, second, nearest = np.zeros(m, np.float32), np.zeros(m, np.float32), np.full(m, -1, np.int32)
    best_of_index, nearest_of_index = np.zeros(n, np.float32), np.full(n, -1, np.int32)
    min_cosine = np.float32(max(1 - max_distance**2 / 2, float(np.finfo(np.float32).tiny)))
    if m and n:
        for start, product in _products(query, index):
            _scan(product, query_factors, index_factors, start, min_cosine, best, second, nearest, best_of_index, nearest_of_index)
    rows = np.flatnonzero(nearest >= 0)
    rows = rows[nearest_of_index[nearest[rows]] == rows]
    apart, second_apart = (np.maximum(1 - cosines[rows], np.float32(1e-7)) for cosines in (best, second))
    ratios = np.sqrt(apart / second_apart)
    matches = np.column_stack([rows, nearest[rows]]).astype(np.int32)
    return (matches, ratios) if ratio >= 1 else (matches[ratios <= ratio], ratios[ratios <= ratio])


def _products(query: np.ndarray, index: np.ndarray):
    """(first row, query[rows] @ index.T) over blocks of rows; the array is overwritten by the next."""
    import torch

    rows, columns = (torch.from_numpy(np.ascontiguousarray(array)) for array in (query, index))
    integer = query.dtype == np.int8
    if not integer:  # copies are aligned: the product is the same wherever the features were in memory
        rows, columns = (array.to(torch.float32, copy=True) for array in (rows, columns))
    product = torch.empty((min(ROWS, len(rows)), len(columns)), dtype=torch.int32 if integer else torch.float32)
    multiply = torch._int_mm if integer else torch.mm
    for start in range(0, len(rows), ROWS):
        block = rows[start : start + ROWS]
        yield start, multiply(block, columns.T, out=product[: len(block)]).numpy()


@numba.njit(cache=True, nogil=True)
def _scan(product, query_factors, index_factors, start, min_cosine, best, second, nearest, best_of_index, nearest_of_index):
    # Positive floats order as their bits do, and LLVM vectorises the maximum of integers, not that of floats: 5 times faster.
    n = np.int32(product.shape[1])
    values = np.empty(n, np.float32)
    bits, index_bits, min_bits = values.view(np.int32), best_of_index.view(np.int32), np.array([min_cosine]).view(np.int32)[0]
    for block_row in range(product.shape[0]):
        row = np.int32(start + block_row)
        factor, line = query_factors[row], product[block_row]
        for j in range(n):
            values[j] = np.float32(line[j]) * (factor * index_factors[j])
        top = np.int32(0)
        for j in range(n):
            top = max(top, bits[j])
        for j in range(n):
            if bits[j] > index_bits[j]:
                index_bits[j] = bits[j]
                nearest_of_index[j] = row
        if top < min_bits:
            continue
        place = n
        for j in range(n):
            place = min(place, np.int32(j) if bits[j] == top else n)
        nearest[row], best[row] = place, values[place]
        bits[place] = 0
        top = np.int32(0)
        for j in range(n):
            top = max(top, bits[j])
        bits[place] = top
        second[row] = values[place]
