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

    neighbours, similarities  (n, width) int32 and float32: each image's nearest others, -1 = none
    """
    images = len(neighbours)
    rows, places = np.nonzero((neighbours >= 0) & (similarities > 0))
    others = neighbours[rows, places].astype(np.int64)
    keys = rows * images + others
    listed = np.sort(keys)
    back = others * images + rows
    found = np.searchsorted(listed, back)
    mutual = (found < len(listed)) & (listed[np.minimum(found, max(0, len(listed) - 1))] == back) if len(listed) else np.zeros(0, bool)
    # One similarity, rounded twice: the larger of both, so that the graph is symmetric.
    low, high = np.minimum(rows, others)[mutual], np.maximum(rows, others)[mutual]
    pairs, inverse = np.unique(low * images + high, return_inverse=True)
    largest = np.zeros(len(pairs))
    np.maximum.at(largest, inverse, similarities[rows, places][mutual].astype(np.float64))
    first, second = pairs // max(1, images), pairs % max(1, images)
    return _graph(np.concatenate([first, second]), np.concatenate([second, first]), np.tile(largest**power, 2), images)


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
