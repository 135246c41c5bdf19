"""Query expansion and database augmentation: a descriptor pulled towards its nearest neighbours."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.half import float32_value, kernel_rows


def expand(
    own: np.ndarray,
    vectors: np.ndarray,
    neighbours: np.ndarray,
    similarities: np.ndarray,
    power: float,
    itself: np.ndarray | None = None,
) -> np.ndarray:
    """Each row plus its weighted neighbours, scaled to length one.

        expanded(x) = x + sum over its neighbours n of max(cos(x, n), 0)^power * n, L2

    own           (n, d) float16 or float32, unit rows: the descriptors to expand
    vectors       (N, d) float16 or float32, unit rows: what the neighbours are rows of
    neighbours    (n, k) int32 into `vectors`, -1 = none; similarities (n, k) float32, the cosines to them
    power         0 = plain average (Chum et al., ICCV 2007), 3 = alpha query expansion (Radenovic et al., TPAMI 2019)
    itself        (n,) integers: the row of `vectors` that own[i] is, -1 = none of them (None: none of them). It counts once, with
                  weight 1, whether or not it is among its own neighbours; a copy of it under another number is a neighbour
    Queries are expanded by index images (itself=None), and so is the index itself (Arandjelovic and Zisserman, CVPR 2012;
    a part at a time, itself=np.arange(start, stop)). Returns (n, d) float32. A row without neighbours stays as it is.
    """
    if neighbours.shape != similarities.shape or len(neighbours) != len(own) or own.shape[1:] != vectors.shape[1:]:
        raise ValueError(f"own {own.shape}, vectors {vectors.shape}, neighbours {neighbours.shape}, similarities {similarities.shape}")
    itself = np.full(len(own), -1) if itself is None else np.asarray(itself)
    if itself.shape != (len(own),):
        raise ValueError(f"itself {itself.shape} for {len(own)} rows")
    arrays = np.ascontiguousarray(neighbours), np.ascontiguousarray(similarities), itself.astype(np.int64)
    return _expand(kernel_rows(own), kernel_rows(vectors), *arrays, float(power))


@numba.njit(cache=True, nogil=True, parallel=True)
def _expand(own, vectors, neighbours, similarities, itself, power):
    rows, columns = own.shape
    result = np.empty((rows, columns), np.float32)
    for row in numba.prange(rows):
        for column in range(columns):
            result[row, column] = float32_value(own[row, column])
        for place in range(neighbours.shape[1]):
            image = neighbours[row, place]
            if image < 0 or image == itself[row]:
                continue
            weight = np.float32(max(float(similarities[row, place]), 0.0) ** power)  # 0^0 = 1: an average is of all
            for column in range(columns):
                result[row, column] += weight * float32_value(vectors[image, column])
        square = 0.0
        for column in range(columns):
            square += float(result[row, column]) ** 2
        if square > 0:
            scale = np.float32(1 / np.sqrt(square))
            for column in range(columns):
                result[row, column] *= scale
    return result
