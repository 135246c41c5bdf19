"""k-reciprocal re-ranking: two images are similar when they have the same mutual neighbours."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.half import dot, kernel_rows
from landmarks.ops.ordering import best_first
from landmarks.ops.sparse_rows import SparseRows, mean_rows, overlaps


def encode(
    queries: np.ndarray,
    indices: np.ndarray,
    scores: np.ndarray,
    vectors: np.ndarray,
    neighbours: np.ndarray,
    similarities: np.ndarray,
    k1: int = 20,
    k2: int = 6,
) -> tuple[SparseRows, SparseRows]:
    """Queries (n_query,) and index images (n_index,) by their mutual neighbours.

        N(x, k)  = x and its k nearest others
        R(x, k)  = the g of N(x, k) with x in N(g, k)
        R*(x)    = R(x, k1), and R(c, k1 / 2) of those c in it of which more than two thirds lie in R(x, k1)
        V(x)     = exp(cos(x, g) - 1) for the g of R*(x), scaled to a sum of one
        result   = the mean of V over x and its k2 - 1 nearest others

    The paper's distance, squared Euclidean over the largest one from that image, is 1 - cos where the farthest image is at a right
    angle: so far images need not be known. k1 / 2 is rounded to the even number, as in the authors' code. A query is encoded as if it
    alone joined an index that does not change by it: it is in N(g, k) when its cosine to g is at least that of g's k-th nearest, and no
    index image's encoding contains it; its own weight in V(q) is no index image's, so it counts in the sum and is not stored.

    queries (n_query, d) and vectors (n_index, d)  float16 or float32, unit rows
    indices, scores           (n_query, k) int32 and float32: nearest index images and their cosines, the nearest first, -1 = none; a
                              list shorter than k1 is used as far as it goes
    neighbours, similarities  (n_index, k1 or more) int32 and float32: each image's nearest others, the nearest first, -1 = none
    Source: Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017.
    """
    if not 1 <= k2 <= k1 + 1:
        raise ValueError(f"k2 must be in 1..k1 + 1, not {k2} with k1 = {k1}")
    if neighbours.shape != similarities.shape or len(neighbours) != len(vectors) or neighbours.shape[1] < k1:
        raise ValueError(f"vectors {vectors.shape}, neighbours {neighbours.shape} and similarities {similarities.shape} with k1 = {k1}")
    if indices.shape != scores.shape or len(indices) != len(queries):
        raise ValueError(f"queries {queries.shape}, indices {indices.shape} and scores {scores.shape} disagree")
    itself, no_image, workers = np.arange(len(vectors)), np.full(len(queries), -1), numba.get_num_threads()
    stored, near = kernel_rows(vectors), _mutual(neighbours, int(np.around(k1 / 2)))
    index = SparseRows(*_encode(stored, itself, _mutual(neighbours, k1), stored, near, workers))
    mutual = _mutual_to_queries(indices[:, :k1], scores[:, :k1], neighbours, similarities, k1)
    query = SparseRows(*_encode(kernel_rows(queries), no_image, mutual, stored, near, workers))
    return mean_rows(query, index, indices[:, : k2 - 1]), mean_rows(index, index, neighbours[:, : k2 - 1])


def k_reciprocal(
    indices: np.ndarray, scores: np.ndarray, query_encodings: SparseRows, index_encodings: SparseRows, original_weight: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates by the Jaccard similarity of encodings, mixed with the cosine: one minus the paper's final distance.

        J(q, i) = m / (2 - m), m = sum over g of min(V(q)_g, V(i)_g)
        score   = (1 - original_weight) * J + original_weight * cos(q, i)          original_weight = lambda, 0.3 in the source

    indices, scores (n_query, k) int32 and float32, scores the cosines, -1 = none. Returns (indices, scores), the best first.
    """
    if len(query_encodings.starts) != len(indices) + 1:
        raise ValueError(f"{len(indices)} queries and {len(query_encodings.starts) - 1} encodings")
    weight = np.float32(original_weight)
    shared = overlaps(indices, query_encodings, index_encodings)
    return best_first(indices, (1 - weight) * shared / (2 - shared) + weight * np.where(indices >= 0, scores, 0))


@numba.njit(cache=True, nogil=True, parallel=True)
def _mutual(neighbours, k):
    """R(x, k) without x: (n_index, k) int32, -1 at the end."""
    result = np.full((len(neighbours), k), -1, np.int32)
    for image in numba.prange(len(neighbours)):
        place = 0
        for other in neighbours[image, :k]:
            known = False
            for back in neighbours[max(other, 0), :k]:
                known |= back == image  # no early exit: comparing the whole short row is faster
            if other >= 0 and known:
                result[image, place] = other
                place += 1
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _mutual_to_queries(indices, scores, neighbours, similarities, k):
    """R(q, k) without q: as `indices`, -1 at the end."""
    result = np.full(indices.shape, -1, np.int32)
    for query in numba.prange(len(indices)):
        place = 0
        for position in range(indices.shape[1]):
            image = indices[query, position]
            if image >= 0 and (k == 0 or neighbours[image, k - 1] < 0 or scores[query, position] >= similarities[image, k - 1]):
                result[query, place] = image
                place += 1
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _encode(own, itself, mutual, vectors, near, workers):
    """V: rows of `own`, which are index images `itself` (-1 = none), with R(x, k1) and of every index image R(c, k1 / 2)."""
    rows = len(own)
    starts = np.zeros(rows + 1, np.int64)
    for worker in numba.prange(workers):
        kinship = np.full(len(vectors), -1, np.int32)
        members = np.empty(1 + mutual.shape[1] * (2 + near.shape[1]), np.int32)
        for row in range(worker, rows, workers):
            starts[row + 1] = _expand(row, itself[row], mutual[row], near, kinship, members)
    for row in range(rows):
        starts[row + 1] += starts[row]
    images, weights = np.empty(starts[rows], np.int32), np.empty(starts[rows], np.float32)
    for worker in numba.prange(workers):
        kinship = np.full(len(vectors), -1, np.int32)
        members = np.empty(1 + mutual.shape[1] * (2 + near.shape[1]), np.int32)
        for row in range(worker, rows, workers):
            count = _expand(row, itself[row], mutual[row], near, kinship, members)
            total = 1.0  # the image itself
            for place in range(count):
                image = members[place]
                weight = 1.0
                if image != itself[row]:
                    weight = np.exp(float(dot(own[row], vectors[image])) - 1.0)
                    total += weight
                images[starts[row] + place], weights[starts[row] + place] = image, weight
            for entry in range(starts[row], starts[row + 1]):
                weights[entry] /= total
    return starts, images, weights


@numba.njit(cache=True, nogil=True)
def _expand(row, itself, mutual, near, kinship, members):
    """Write R* into `members`, the image itself first where it is one; returns how many. kinship: 2 row + 1 = R, 2 row = R* only."""
    count = 0
    if itself >= 0:
        kinship[itself], members[0], count = 2 * row + 1, itself, 1
    for image in mutual:
        if image < 0:
            break
        kinship[image], members[count] = 2 * row + 1, image
        count += 1
    for candidate in mutual:
        if candidate < 0:
            break
        size, common = 1, 1  # the candidate is in its own set, and in R
        for image in near[candidate]:
            if image < 0:
                break
            size += 1
            common += kinship[image] == 2 * row + 1
        if 3 * common > 2 * size:
            for image in near[candidate]:
                if image < 0:
                    break
                if kinship[image] < 2 * row:
                    kinship[image], members[count] = 2 * row, image
                    count += 1
    return count
