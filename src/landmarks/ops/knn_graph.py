"""The nearest-neighbour graph of the index, from the lists that the search found."""

from __future__ import annotations

import numba
import numpy as np


def nearest_others(neighbours: np.ndarray, similarities: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` neighbours of every image that are not the image itself (which need not be the first: copies are as near).

    neighbours    (n, width) int32: row i lists images most similar to image i, most similar first; -1 = none
    similarities  (n, width) float32
    Returns (n, count) int32 and float32, -1 and -inf where there is none.
    """
    if neighbours.shape != similarities.shape or neighbours.ndim != 2:
        raise ValueError(f"neighbours {neighbours.shape} and similarities {similarities.shape} disagree")
    return _nearest_others(neighbours, similarities, count)


@numba.njit(cache=True, nogil=True, parallel=True)
def _nearest_others(neighbours, similarities, count):
    images, width = neighbours.shape
    others, values = np.full((images, count), -1, np.int32), np.full((images, count), -np.inf, np.float32)
    for image in numba.prange(images):
        place = 0
        for position in range(width):
            if place == count:
                break
            if neighbours[image, position] >= 0 and neighbours[image, position] != image:
                others[image, place], values[image, place] = neighbours[image, position], similarities[image, position]
                place += 1
    return others, values


def mutual_only(neighbours: np.ndarray) -> np.ndarray:
    """(n, width) int32: the neighbours that list the image in turn; all others become -1.

    neighbours  (n, width) int32: row i lists images near image i, -1 = none
    Source: k-reciprocal nearest neighbours (Qin et al., "Hello neighbor", CVPR 2011).
    """
    return _mutual_only(np.ascontiguousarray(neighbours))


@numba.njit(cache=True, nogil=True, parallel=True)
def _mutual_only(neighbours):
    result = np.full_like(neighbours, -1)
    for image in numba.prange(len(neighbours)):
        for position in range(neighbours.shape[1]):
            other = neighbours[image, position]
            if other >= 0:
                for listed in neighbours[other]:
                    if listed == image:
                        result[image, position] = other
                        break
    return result
