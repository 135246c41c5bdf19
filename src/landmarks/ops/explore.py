"""Explore-exploit graph traversal: a ranking grown along the index's own nearest-neighbour graph."""

from __future__ import annotations

import heapq

import numba
import numpy as np


def explore(
    indices: np.ndarray, scores: np.ndarray, neighbours: np.ndarray, similarities: np.ndarray, threshold: float, length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images in the order in which a walk from the query reaches them over its strongest edges.

    The walk keeps a heap of edges, the strongest on top (equal: the one seen first). Explore: the edges of the images reached last go
    into the heap, those of the query first. Exploit: the top edge's image is reached, and the next, as long as the top is stronger
    than `threshold`; then explore again. It ends with `length` images, or with no edge left. So an image is ranked by its similarity
    to another result, and may be one that the search did not find. threshold = inf is Prim's spanning tree; at -inf nothing is explored
    before the heap is empty.

    indices, scores           (n_query, k) int32 and float32: the query's edges, -1 = none
    neighbours, similarities  (n_index, width) int32 and float32: each index image's edges, nearest first, -1 = none; its edge to
                              itself has no effect
    length                    how many images to reach (p in the paper); None = k
    Returns (indices, scores), (n_query, length); a score is the weakest edge that the walk had needed so far.
    Source: Chang et al., "Explore-Exploit Graph Traversal for Image Retrieval", CVPR 2019, algorithm 1.
    """
    if neighbours.shape != similarities.shape or indices.shape != scores.shape:
        raise ValueError(
            f"indices {indices.shape}, scores {scores.shape}, neighbours {neighbours.shape}, similarities {similarities.shape}"
        )
    length = indices.shape[1] if length is None else length
    return _explore(indices, scores, neighbours, similarities, np.float32(threshold), length, numba.get_num_threads())


@numba.njit(cache=True, nogil=True, parallel=True)
def _explore(indices, scores, neighbours, similarities, threshold, length, workers):
    queries = len(indices)
    reached, values = np.full((queries, length), -1, np.int32), np.full((queries, length), -np.inf, np.float32)
    for worker in numba.prange(workers):
        # The strongest edge to an image that query number `seen_by` has in its heap; +inf once the image is reached.
        strongest, seen_by = np.empty(len(neighbours), np.float32), np.full(len(neighbours), -1, np.int32)
        for query in range(worker, queries, workers):
            heap = [(np.float32(0), 0, np.int64(0))][:0]  # empty, but typed
            pushed, count, explored, weakest = 0, 0, -1, np.float32(np.inf)
            while count < length:
                while explored < count:  # -1 is the query itself
                    source_images = indices[query] if explored < 0 else neighbours[reached[query, explored]]
                    source_values = scores[query] if explored < 0 else similarities[reached[query, explored]]
                    for place in range(len(source_images)):
                        image, value = source_images[place], source_values[place]
                        if image < 0:
                            continue
                        if seen_by[image] != query or strongest[image] < value:
                            seen_by[image], strongest[image] = query, value
                            heapq.heappush(heap, (-value, pushed, np.int64(image)))
                            pushed += 1
                    explored += 1
                if len(heap) == 0:
                    break
                while True:
                    value, _, image = heapq.heappop(heap)
                    if strongest[image] != np.inf:
                        strongest[image] = np.inf
                        weakest = min(weakest, -value)
                        reached[query, count], values[query, count] = image, weakest
                        count += 1
                    if count == length or len(heap) == 0 or not -heap[0][0] > threshold:
                        break
    return reached, values
