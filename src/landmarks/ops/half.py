"""float16 in compiled loops, which know no float16: a matrix stays as small as it is stored, and is converted ten times faster.

NumPy converts number by number on one core, and takes five times as long again over those below 2^-14, of which sketches are full.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import overload


def readable(vectors: np.ndarray) -> np.ndarray:
    """Rows (n, d) as a compiled loop reads them, through `widened`: float16 as its bits (uint16, no copy), all else as float32."""
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be (n, d), not {vectors.shape}")
    if vectors.dtype == np.float16:
        return np.ascontiguousarray(vectors).view(np.uint16)
    return np.ascontiguousarray(vectors, dtype=np.float32)


def to_float32(matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix (n, d) of finite values as float32, exactly where it is float16; written into `out` (n, d) where one is given."""
    out = np.empty(matrix.shape, np.float32) if out is None else out
    if matrix.dtype == np.float16:
        _widen(readable(matrix), out)
    else:
        out[:] = matrix
    return out


def to_float16(matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix (n, d) of finite values as float16, to the nearest, of two equally near ones the even; written into `out` as above."""
    out = np.empty(matrix.shape, np.float16) if out is None else out
    _narrow(np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32), out.view(np.uint16))
    return out


def widened(value):
    """One entry of a `readable` array as float32, exactly; finite values only. For compiled code."""
    raise NotImplementedError("only compiled code calls this")


@overload(widened, inline="always")
def _widened(value):
    return (lambda value: _from_bits(value)) if isinstance(value, numba.types.Integer) else (lambda value: value)


@numba.njit(cache=True)
def _from_bits(value):
    bits = np.uint32(value)
    # Exponent and mantissa moved to float32's places; the exponents' origins lie 112 apart. Added, not multiplied by 2^112: a caller
    # that may reorder its sums would merge two such factors, past the range of float32.
    moved = np.uint32((bits & np.uint32(0x7FFF)) << np.uint32(13))
    normal = np.uint32(moved + np.uint32(112 << 23))
    subnormal = np.float32(np.uint32(moved + np.uint32(113 << 23)).view(np.float32) - np.float32(2.0**-14)).view(np.uint32)
    magnitude = normal if moved >= np.uint32(1 << 23) else subnormal
    return np.uint32(magnitude | (bits & np.uint32(0x8000)) << np.uint32(16)).view(np.float32)


@numba.njit(cache=True, fastmath={"reassoc", "nsz", "contract"})
def dot(one, other):
    """The inner product of two `readable` rows, float32."""
    total = np.float32(0)
    for column in range(len(one)):
        total += widened(one[column]) * widened(other[column])
    return total


@numba.njit(cache=True, parallel=True)
def _widen(rows, out):
    for row in numba.prange(len(rows)):
        for column in range(rows.shape[1]):
            out[row, column] = widened(rows[row, column])


@numba.njit(cache=True, parallel=True)
def _narrow(bits, out):
    for row in numba.prange(len(bits)):
        for column in range(bits.shape[1]):
            magnitude = np.uint32(bits[row, column] & np.uint32(0x7FFFFFFF))
            # Half a unit is added (less a little where the result would be odd by it), then the 13 bits that float16 lacks are cut off.
            odd = np.uint32((magnitude >> np.uint32(13)) & np.uint32(1))
            normal = np.uint32(np.uint32(magnitude + odd + np.uint32(0xFFF) - np.uint32(112 << 23)) >> np.uint32(13))
            # Beside 0.5 the last bit of a float32 is worth 2^-24, as that of a subnormal float16 is: the sum rounds by itself.
            subnormal = np.uint32(np.float32(magnitude.view(np.float32) + np.float32(0.5)).view(np.uint32) - np.uint32(0x3F000000))
            half = subnormal if magnitude < np.uint32(113 << 23) else min(normal, np.uint32(0x7C00))
            out[row, column] = np.uint16(half | ((bits[row, column] >> np.uint32(16)) & np.uint32(0x8000)))
