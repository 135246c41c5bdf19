"""Descriptors as vectors: normalised, concatenated from several models, whitened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from landmarks.ops.half import float32_value, kernel_rows, native, to_float16, to_float32
from landmarks.ops.rows import BLOCK, LazyRows, Rows

CACHE_ROWS = 4096  # rows at a time where intermediate results should stay in the processor's cache
_UNSEEN = 2.0**-22  # a mean squared distance from the mean, of unit vectors: the rounding of float16 alone makes a third of it
# bytes of a float -> (type of its bits, the bits of infinity)
_BITS: dict[int, tuple[type[np.unsignedinteger], int]] = {
    2: (np.uint16, 0x7C00),
    4: (np.uint32, 0x7F800000),
    8: (np.uint64, 0x7FF0 << 48),
}


def l2_normalise(matrix: np.ndarray) -> np.ndarray:
    """Rows (n, dimensions) of finite values scaled to length one, float32; a zero row stays zero. Any magnitude: 1e-100, 1e300."""
    matrix = np.asarray(matrix)
    result = np.empty(matrix.shape, np.float32)
    _write_rows(matrix, 1.0, result, 0)
    return result


def unusable_rows(matrix: Rows) -> np.ndarray:
    """(n,) bool: which rows of a floating-point matrix (n, dimensions) hold NaN or infinity, or are zero throughout."""
    bad = np.empty(len(matrix), bool)
    for start in range(0, len(matrix), CACHE_ROWS):
        block = native(matrix[start : start + CACHE_ROWS])
        if block.dtype.itemsize in _BITS:  # without the sign, bits order as magnitudes do; infinity and NaN are the largest
            bits, infinity = _BITS[block.dtype.itemsize]
            largest = (np.ascontiguousarray(block).view(bits) & np.iinfo(bits).max // 2).max(axis=1, initial=0)
            bad[start : start + CACHE_ROWS] = (largest >= infinity) | (largest == 0)
        else:
            bad[start : start + CACHE_ROWS] = ~np.isfinite(block).all(axis=1) | ~block.any(axis=1)
    return bad


def are_alike(matrix: Rows) -> bool:
    """Whether rows (n, d) of length one, two or more, differ by no more than float16 can hold: a search of them finds nothing."""
    if len(matrix) < 2:
        return False
    total, squares, apart = np.zeros(matrix.shape[1]), 0.0, 0.0
    for start in range(0, len(matrix), CACHE_ROWS):
        block = matrix[start : start + CACHE_ROWS].astype(np.float64)
        total += block.sum(axis=0)
        squares += float((block * block).sum())
        apart = squares - float(total @ total) / (start + len(block))  # summed squared distance from the mean: it only grows
        if apart >= _UNSEEN * len(matrix):
            return False
    return apart < _UNSEEN * len(matrix)


def _write_rows(matrix: np.ndarray, length: float, out: np.ndarray, column: int) -> None:
    """Write the rows, scaled to this length, into the columns of `out` from `column` on; `out` may be the matrix itself."""
    for start in range(0, len(matrix), BLOCK):
        block = native(matrix[start : start + BLOCK])
        if block.dtype not in (np.float16, np.float32):  # float64: the squares could overflow
            largest = np.abs(block).max(axis=1, keepdims=True, initial=0)
            block = (block / np.where(largest > 0, largest, 1)).astype(np.float32)
        _unit_rows(kernel_rows(block), length, out[start : start + BLOCK], column)


@numba.njit(cache=True, nogil=True, parallel=True, fastmath={"reassoc", "nsz", "contract"})
def _unit_rows(rows, length, out, first):
    for row in numba.prange(len(rows)):
        squared = 0.0  # in float64 no square of a float32 overflows or underflows
        for column in range(rows.shape[1]):
            value = np.float64(float32_value(rows[row, column]))
            squared += value * value
        factor = length / np.sqrt(squared) if squared > 0 else 0.0
        for column in range(rows.shape[1]):
            out[row, first + column] = float32_value(rows[row, column]) * factor


def ensemble(matrices: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Several models' descriptors of the same images as one: each L2, times its weight, concatenated, L2.

    matrices  each (n, dimensions of that model)
    weights   one a model; a weight w acts as w^2 in the similarity
    Returns (n, sum of dimensions) float32. Source: Yokoo et al., section 4.
    """
    if len(matrices) != len(weights) or not matrices:
        raise ValueError(f"{len(matrices)} matrices and {len(weights)} weights")
    rows, several = len(matrices[0]), len(matrices) > 1
    combined = np.empty((rows, sum(matrix.shape[1] for matrix in matrices)), np.float32)
    column = 0
    for matrix, weight in zip(matrices, weights, strict=True):
        if len(matrix) != rows:
            raise ValueError(f"matrices of {rows} and {len(matrix)} rows")
        _write_rows(matrix, weight if several else 1.0, combined, column)
        column += matrix.shape[1]
    if several:
        _write_rows(combined, 1.0, combined, 0)
    return combined


def ensembled_rows(matrices: Sequence[Rows], weights: Sequence[float]) -> LazyRows:
    """As `ensemble`, when rows are asked for."""
    shape = len(matrices[0]), sum(matrix.shape[1] for matrix in matrices)
    return LazyRows(shape, np.dtype(np.float32), lambda rows: ensemble([matrix[rows] for matrix in matrices], weights))


def join_rows(parts: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Write the parts (n, d of that part), float16 or float32, side by side as unit rows into `out` (n, sum of d) float16."""
    for start in range(0, len(out), CACHE_ROWS):
        target = out[start : start + CACHE_ROWS]
        wide, column = np.empty(target.shape, np.float32), 0
        for part in parts:
            to_float32(part[start : start + CACHE_ROWS], wide[:, column : column + part.shape[1]])
            column += part.shape[1]
        _write_rows(wide, 1.0, wide, 0)
        to_float16(wide, target)


@dataclass(frozen=True)
class Whitening:
    """x -> L2((x - mean) @ projection): mean (dimensions,), projection (dimensions, kept), both float32."""

    mean: np.ndarray
    projection: np.ndarray

    def __call__(self, matrix: Rows) -> np.ndarray:
        """Whiten rows (n, dimensions) -> (n, kept) float32, L2-normalised."""
        whitened = np.empty((len(matrix), self.projection.shape[1]), np.float32)
        for start in range(0, len(matrix), BLOCK):
            block = to_float32(matrix[start : start + BLOCK])
            whitened[start : start + BLOCK] = l2_normalise((block - self.mean) @ self.projection)
        return whitened


def whitened_rows(matrix: Rows, whitening: Whitening) -> LazyRows:
    """`whitening(matrix)`, when rows are asked for."""
    return LazyRows((len(matrix), whitening.projection.shape[1]), np.dtype(np.float32), lambda rows: whitening(matrix[rows]))


def learn_whitening(matrix: Rows, dimensions: int, power: float = 1.0) -> Whitening:
    """PCA whitening: project on the `dimensions` principal axes, each divided by its standard deviation to the `power`.

    matrix  (n, d) of the training images; at most min(d, n - 1) axes have any variance, and no more are kept.
    With power 1 the covariance of the projected training rows (before their L2) is the identity; 0 is PCA alone.
    """
    rows, columns = matrix.shape
    kept = min(dimensions, columns, rows - 1)
    if kept < 1:
        raise ValueError(f"whitening needs two descriptors and one dimension, not {rows} and {dimensions}")
    mean = np.zeros(columns)
    for start in range(0, rows, BLOCK):
        mean += matrix[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    mean /= rows
    covariance = np.zeros((columns, columns))
    for start in range(0, rows, BLOCK):
        centred = matrix[start : start + BLOCK] - mean  # float64: in float32 rounding noise would look like variance
        covariance += centred.T @ centred
    values, axes = np.linalg.eigh(covariance / rows)
    values, axes = values[::-1][:kept], axes[:, ::-1][:, :kept]
    # An axis along which the training images do not vary (copies, unused dimensions) is noise, and must not be amplified.
    if values[0] <= 0:
        raise ValueError("the descriptors that whitening is learned on are all alike")
    varying = values > 1e-7 * values[0]
    return Whitening(mean.astype(np.float32), (axes[:, varying] / values[varying] ** (power / 2)).astype(np.float32))
