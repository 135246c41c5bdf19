"""Diffusion: a query's similarity spread along the index's mutual nearest-neighbour graph, among its candidates."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.ordering import best_first

TOLERANCE = 1e-6  # residual length / length of the right-hand side, at which the system counts as solved


def diffusion(
    indices: np.ndarray,
    scores: np.ndarray,
    neighbours: np.ndarray,
    similarities: np.ndarray,
    seeds: int = 10,
    power: float = 3.0,
    alpha: float = 0.99,
    iterations: int = 20,
    weight: float | None = None,
    second: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates by f, the solution of (I - alpha S) f = y on the graph of the query's candidates alone.

        A_ij = max(cos(i, j), 0)^power where i and j each list the other, else 0;  S = D^-1/2 A D^-1/2, D = the row sums of A
        y_i  = max(cos(q, i), 0)^power for the query's `seeds` best candidates, else 0

    A, D and S are computed as if the index held only the candidates: the truncation that Iscen et al. describe, which makes it one
    small system per query. Conjugate gradient from zero, `iterations` steps or until solved.

    indices, scores           (n_query, k) int32 and float32: the candidates and their cosines, -1 = none
    neighbours, similarities  (n_index, width) int32 and float32: each index image's nearest others, the nearest first, -1 = none; the
                              width is the k of the mutual kNN graph (50 in the source). An image's edge to itself is ignored
    weight                    None = by f alone; else by cos(q, i) + weight * f_i / (the largest f of the query) (ours)
    second                    with `weight`: neighbours and similarities (n_index, any width) of the same images in other vectors; their f,
                              from the same y, is added in the same way
    Returns (indices, scores), the best first; a candidate that no path leads to has f = 0, and keeps its order among those.
    Source: Iscen et al., "Efficient diffusion on region manifolds", CVPR 2017 (power 3, alpha 0.99, 20 iterations, 10 seeds).
    """
    if neighbours.shape != similarities.shape or indices.shape != scores.shape:
        raise ValueError(
            f"indices {indices.shape}, scores {scores.shape}, neighbours {neighbours.shape}, similarities {similarities.shape}"
        )
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha must be in [0, 1), not {alpha}")
    if second is not None and (weight is None or second[0].shape != second[1].shape or len(second[0]) != len(neighbours)):
        raise ValueError(f"second: {second[0].shape} and {second[1].shape} beside {neighbours.shape}, weight {weight}")
    graphs = [(neighbours, similarities)] if second is None else [(neighbours, similarities), second]
    spread = [_diffuse(indices, scores, *graph, seeds, power, alpha, iterations, numba.get_num_threads()) for graph in graphs]
    if weight is None:
        return best_first(indices, spread[0])
    total = scores
    for one in spread:
        largest = one.max(axis=1, keepdims=True, initial=0)
        total = total + np.float32(weight) * one / np.where(largest > 0, largest, 1)
    return best_first(indices, total)


@numba.njit(cache=True, nogil=True, parallel=True)
def _diffuse(indices, scores, neighbours, similarities, seeds, power, alpha, iterations, workers):
    queries, k = indices.shape
    result = np.zeros((queries, k), np.float32)
    for worker in numba.prange(workers):
        place_of = np.full(len(neighbours), -1, np.int32)
        listed = np.zeros((k, k), np.float32)
        for query in range(worker, queries, workers):
            count = 0
            while count < k and indices[query, count] >= 0:
                place_of[indices[query, count]] = count
                count += 1
            starts, ends, weights = _mutual_graph(indices[query, :count], neighbours, similarities, power, place_of, listed)
            start = np.zeros(count)
            for place in range(min(seeds, count)):
                start[place] = max(scores[query, place], 0.0) ** power
            result[query, :count] = _conjugate_gradient(starts, ends, weights * alpha, start, iterations)
            for image in indices[query, :count]:
                place_of[image] = -1
    return result


@numba.njit(cache=True, nogil=True)
def _mutual_graph(images, neighbours, similarities, power, place_of, listed):
    """S of these images as rows: row i's entries are starts[i]:starts[i + 1] of (ends, weights). `listed` is all zero before and after."""
    count = len(images)
    for own in range(count):
        for position in range(neighbours.shape[1]):
            image = neighbours[images[own], position]
            if image >= 0 and place_of[image] >= 0 and place_of[image] != own:
                listed[own, place_of[image]] = max(similarities[images[own], position], np.float32(0))
    starts, degrees = np.zeros(count + 1, np.int64), np.zeros(count)
    ends, weights = np.empty(count * min(count, neighbours.shape[1]), np.int64), np.empty(count * min(count, neighbours.shape[1]))
    total = 0
    for own in range(count):
        for other in range(count):
            if listed[own, other] > 0 and listed[other, own] > 0:
                ends[total] = other
                weights[total] = max(listed[own, other], listed[other, own]) ** power  # one cosine, rounded twice: symmetric again
                degrees[own] += weights[total]
                total += 1
        starts[own + 1] = total
    listed[:count, :count] = 0
    for own in range(count):
        for entry in range(starts[own], starts[own + 1]):
            weights[entry] /= np.sqrt(degrees[own] * degrees[ends[entry]])
    return starts, ends[:total], weights[:total]


@numba.njit(cache=True, nogil=True)
def _conjugate_gradient(starts, ends, weights, right, iterations):
    """x with (I - W) x = right, W symmetric, its rows given as by `_mutual_graph`."""
    solution, residual = np.zeros(len(right)), right.copy()
    direction, image = residual.copy(), np.empty(len(right))
    square = (residual**2).sum()
    limit = TOLERANCE**2 * square
    for _ in range(iterations):
        if square <= limit:
            break
        along = 0.0
        for row in range(len(right)):
            value = direction[row]
            for entry in range(starts[row], starts[row + 1]):
                value -= weights[entry] * direction[ends[entry]]
            image[row] = value
            along += value * direction[row]
        step = square / along
        solution += step * direction
        residual -= step * image
        before, square = square, (residual**2).sum()
        direction = residual + (square / before) * direction
    return solution
