"""Re-ranking by global descriptors refined among the candidates (SuperGlobal)."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.half import dot, float32_value, kernel_rows
from landmarks.ops.ordering import best_first


def super_global(
    queries: np.ndarray, vectors: np.ndarray, indices: np.ndarray, neighbours: int = 9, beta: float = 0.15, pooling: str = "max"
) -> tuple[np.ndarray, np.ndarray]:
    """Every candidate refined by its nearest candidates, the query replaced by a pool of the best of them.

        refined(i) = (x_i + beta * sum over n of w_in x_n) / (1 + beta * sum of w_in)
                     n: the `neighbours` candidates nearest to i, w_in = max(cos(i, n), 0)
        first(i)   = q . refined(i)
        pooled     = over the refined descriptors of the neighbours + 1 candidates with the highest `first`, entry by entry
                     their largest ("max", as published for CVNet's descriptors) or their mean ("mean")
        score(i)   = (first(i) + pooled . refined(i)) / 2

    As in the authors' code nothing is normalised again, the query is not in its pool, and the image itself has weight 1.
    There a negative cosine is a negative weight; here it is zero, since in a short list even the nearest may have a negative cosine.

    queries (n_query, d) and vectors (n_index, d) float16 or float32, unit rows
    indices (n_query, k) int32: the candidates (400 in the paper), best first, -1 = none. Equal cosines: the earlier candidate is nearer
    Returns (indices, scores), the best first. Source: Shao et al., ICCV 2023, section 3.3.
    """
    if pooling not in ("max", "mean"):
        raise ValueError(f"pooling is 'max' or 'mean', not {pooling!r}")
    if queries.shape[1:] != vectors.shape[1:] or len(queries) != len(indices):
        raise ValueError(f"queries {queries.shape}, vectors {vectors.shape} and indices {indices.shape} disagree")
    arrays = kernel_rows(queries), kernel_rows(vectors), indices
    return best_first(indices, _scores(*arrays, neighbours, np.float32(beta), pooling == "max", numba.get_num_threads()))


@numba.njit(cache=True, nogil=True, parallel=True)
def _scores(queries, vectors, indices, neighbours, beta, largest, workers):
    n_query, k = indices.shape
    columns = vectors.shape[1]
    scores = np.full((n_query, k), -np.inf, np.float32)
    for worker in numba.prange(workers):
        candidates, cosines = np.empty((k, columns), np.float32), np.empty((k, k), np.float32)
        to_query, to_pool = np.empty(k, np.float32), np.empty(k, np.float32)
        for query in range(worker, n_query, workers):
            count = 0
            while count < k and indices[query, count] >= 0:
                for column in range(columns):
                    candidates[count, column] = float32_value(vectors[indices[query, count], column])
                count += 1
            # Small products in this thread: a threaded matrix product inside many threads mostly waits.
            for one in range(count):
                to_query[one] = dot(queries[query], candidates[one])
                for other in range(one):
                    cosines[one, other] = cosines[other, one] = dot(candidates[one], candidates[other])
            near, weights = _nearest(cosines, count, min(neighbours, max(count - 1, 0)))
            weights *= beta
            first = _refined(to_query, near, weights)
            best = np.argsort(-first, kind="mergesort")[: neighbours + 1]
            pooled = _pool(candidates, near, weights, best, largest)
            for one in range(count):
                to_pool[one] = dot(pooled, candidates[one])
            scores[query, :count] = (first + _refined(to_pool, near, weights)) / np.float32(2)
    return scores


@numba.njit(cache=True, nogil=True)
def _pool(candidates, near, weights, best, largest):
    """The largest or the mean of the refined descriptors of the `best` candidates, entry by entry: (columns,) float32."""
    pooled = np.full(candidates.shape[1], -np.inf if largest else 0.0, np.float32)
    for candidate in best:
        refined, total = candidates[candidate].copy(), np.float32(1)
        for place in range(near.shape[1]):
            refined += weights[candidate, place] * candidates[near[candidate, place]]
            total += weights[candidate, place]
        refined /= total
        pooled = np.maximum(pooled, refined) if largest else pooled + refined / np.float32(len(best))
    return pooled


@numba.njit(cache=True, nogil=True)
def _nearest(cosines, count, found):
    """Of the first `count` candidates, each one's `found` nearest others and their cosines where positive, (count, found) each."""
    near, weights = np.zeros((count, found), np.int64), np.full((count, found), -np.inf, np.float32)
    for candidate in range(count):
        for other in range(count if found else 0):
            value = cosines[candidate, other]
            if other == candidate or not value > weights[candidate, found - 1]:
                continue
            place = found - 1
            while place > 0 and weights[candidate, place - 1] < value:
                weights[candidate, place], near[candidate, place] = weights[candidate, place - 1], near[candidate, place - 1]
                place -= 1
            weights[candidate, place], near[candidate, place] = value, other
    return near, np.maximum(weights, np.float32(0))


@numba.njit(cache=True, nogil=True)
def _refined(products, near, weights):
    """Any vector's products with the candidates (count,) as its products with the refined ones: refining is linear."""
    result = np.empty(len(near), np.float32)
    for candidate in range(len(near)):
        value, total = products[candidate], np.float32(1)
        for place in range(near.shape[1]):
            value += weights[candidate, place] * products[near[candidate, place]]
            total += weights[candidate, place]
        result[candidate] = value / total
    return result
