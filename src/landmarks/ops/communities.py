"""Communities of the index: groups of images that are each other's nearest neighbours, found without any label."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_GAIN = 1e-12  # of the sum of all weights; less is rounding
_PASSES = 100  # over the nodes of one level, at most; a few suffice


class Graph(NamedTuple):
    """A symmetric graph: node i has edges to ends[starts[i]:starts[i + 1]] of `weights`; an edge to itself counts once.

    starts (n + 1,) int64, ends (m,) int32, weights (m,) float64
    """

    starts: np.ndarray
    ends: np.ndarray
    weights: np.ndarray


def mutual_graph(neighbours: np.ndarray, similarities: np.ndarray, power: float) -> Graph:
    """Edges between images that each list the other, of weight max(similarity, 0)^power.

    neighbours, similarities  (n, width) int32 and float32: each image's nearest others, none twice, -1 = none
    """
    neighbours, similarities = np.ascontiguousarray(neighbours), np.ascontiguousarray(similarities)
    starts = np.zeros(len(neighbours) + 1, np.int64)
    np.cumsum(_mutual_counts(neighbours, similarities), out=starts[1:])
    ends, largest = _mutual_edges(neighbours, similarities, starts)
    return Graph(starts, ends, np.power(largest, power, out=largest))


def modularity(graph: Graph, communities: np.ndarray, resolution: float) -> float:
    """Q = 1/2m * sum over nodes i, j of one community of (A_ij - resolution * k_i k_j / 2m); k = row sums of A, 2m = their sum.

    communities (n,) integers. Source: Newman and Girvan, 2004, with the resolution of Reichardt and Bornholdt, 2006.
    """
    nodes = np.repeat(np.arange(len(graph.starts) - 1), np.diff(graph.starts))
    total = graph.weights.sum()
    if total == 0:
        return 0.0
    inside = graph.weights[communities[nodes] == communities[graph.ends]].sum()
    degrees = np.bincount(communities[nodes], graph.weights)
    return float(inside / total - resolution * (degrees**2).sum() / total**2)


def find_communities(graph: Graph, resolution: float) -> np.ndarray:
    """A partition of the nodes of high modularity: (n,) int32, 0, 1, ... by the first node of each.

    Nodes move to the neighbouring community that gains most, in their order, until none gains; then communities become nodes, and so on
    (Blondel et al., "Fast unfolding of communities in large networks", 2008). The same graph gives the same partition.
    """
    communities = np.arange(len(graph.starts) - 1)
    total = float(graph.weights.sum())
    if total == 0:
        return communities.astype(np.int32)
    while True:
        moved = _numbered(_move_nodes(*graph, total, resolution))
        communities = moved[communities]
        if moved.max() + 1 == len(moved):
            return _numbered(communities).astype(np.int32)
        nodes = np.repeat(np.arange(len(moved)), np.diff(graph.starts))
        graph = _graph(moved[nodes], moved[graph.ends], graph.weights, int(moved.max()) + 1)


def _graph(first: np.ndarray, second: np.ndarray, weights: np.ndarray, nodes: int) -> Graph:
    """Edges (m,) with the same ends become one, of the sum of their weights."""
    keys, inverse = np.unique(first.astype(np.int64) * nodes + second, return_inverse=True)
    starts = np.searchsorted(keys, np.arange(nodes + 1, dtype=np.int64) * nodes)
    return Graph(starts, (keys % max(1, nodes)).astype(np.int32), np.bincount(inverse, weights, len(keys)))


def _numbered(communities: np.ndarray) -> np.ndarray:
    """The same partition with the numbers 0, 1, ... in the order of the first members."""
    _, first, inverse = np.unique(communities, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


@numba.njit(cache=True, nogil=True, parallel=True)
def _mutual_counts(neighbours, similarities):
    counts = np.zeros(len(neighbours), np.int64)
    for image in numba.prange(len(neighbours)):
        for place in range(neighbours.shape[1]):
            counts[image] += _mutual_similarity(neighbours, similarities, image, place) > 0
    return counts


@numba.njit(cache=True, nogil=True, parallel=True)
def _mutual_edges(neighbours, similarities, starts):
    ends, largest = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float64)
    for image in numba.prange(len(neighbours)):
        count = starts[image]
        for place in range(neighbours.shape[1]):
            similarity = _mutual_similarity(neighbours, similarities, image, place)
            if similarity <= 0:
                continue
            other, entry = neighbours[image, place], count
            while entry > starts[image] and ends[entry - 1] > other:  # the ends of a node are in their order
                ends[entry], largest[entry] = ends[entry - 1], largest[entry - 1]
                entry -= 1
            ends[entry], largest[entry] = other, similarity
            count += 1
    return ends, largest


@numba.njit(cache=True, nogil=True)
def _mutual_similarity(neighbours, similarities, image, place):
    """To the neighbour at this place, 0 where that does not list the image too. Of one that was rounded twice, the larger: symmetric."""
    other = neighbours[image, place]
    if other >= 0 and similarities[image, place] > 0:
        for back in range(neighbours.shape[1]):
            if neighbours[other, back] == image and similarities[other, back] > 0:
                return np.float64(max(similarities[image, place], similarities[other, back]))
    return 0.0


@numba.njit(cache=True, nogil=True)
def _move_nodes(starts, ends, weights, total, resolution):
    nodes = len(starts) - 1
    community, degrees = np.arange(nodes), np.zeros(nodes)
    for node in range(nodes):
        degrees[node] = weights[starts[node] : starts[node + 1]].sum()
    inside, to, touched = degrees.copy(), np.zeros(nodes), np.empty(nodes, np.int64)
    for _ in range(_PASSES):
        moves = 0
        for node in range(nodes):
            own, count = community[node], 0
            for entry in range(starts[node], starts[node + 1]):
                if ends[entry] != node:
                    other = community[ends[entry]]
                    if to[other] == 0:
                        touched[count] = other
                        count += 1
                    to[other] += weights[entry]
            inside[own] -= degrees[node]
            best, most = own, to[own] - resolution * degrees[node] * inside[own] / total + _GAIN * total
            for place in range(count):
                other = touched[place]
                gain = to[other] - resolution * degrees[node] * inside[other] / total
                if gain > most:
                    best, most = other, gain
                to[other] = 0
            inside[best] += degrees[node]
            community[node] = best
            moves += best != own
        if moves == 0:
            break
    return community
