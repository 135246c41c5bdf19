"""float16 matrices in Numba loops, which have no float16: they are read as they are stored, and converted ten times as fast as by NumPy.

NumPy converts number by number on one core, and takes five times as long for those below 2^-14, which are common in label sketches.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import overload


def native(array: np.ndarray) -> np.ndarray:
    """The same numbers in the byte order of this machine, without a copy where that is theirs: Numba and the bits ask for it."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def kernel_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows (n, d) in a form that a compiled loop reads with `float32_value`: float16 as its bits (uint16, no copy), the rest as float32.

    Raises ValueError for anything but a matrix.
    """
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be (n, d), not {vectors.shape}")
    vectors = native(vectors)
    if vectors.dtype == np.float16:
        return np.ascontiguousarray(vectors).view(np.uint16)
    return np.ascontiguousarray(vectors, dtype=np.float32)


def to_float32(matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix (n, d) of finite values as float32, exactly where it is float16; written into `out` (n, d) where one is given."""
    out = np.empty(matrix.shape, np.float32) if out is None else out
    if native(matrix[:0]).dtype == np.float16:
        _to_float32(kernel_rows(matrix), out)
    else:
        out[:] = matrix
    return out


def to_float16(matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix (n, d) of finite values as float16, rounded to nearest, ties to even; written into `out` where one is given."""
    out = np.empty(matrix.shape, np.float16) if out is None else out
    _to_float16(np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32), out.view(np.uint16))
    return out


def float32_value(value):
    """One entry of a `kernel_rows` array as float32, exactly; finite values only. For compiled code."""
    raise NotImplementedError("for compiled code only")


@overload(float32_value, inline="always")
def _float32_value(value):
    return (lambda value: _from_bits(value)) if isinstance(value, numba.types.Integer) else (lambda value: value)


@numba.njit(cache=True, nogil=True)
def _from_bits(value):
    bits = np.uint32(value)
    # Exponent and mantissa are shifted to their places in float32; the exponents' biases differ by 112. Added, not multiplied by 2^112:
    # a caller that may reorder its sums would merge two such factors, which overflows float32.
    moved = np.uint32((bits & np.uint32(0x7FFF)) << np.uint32(13))
    normal = np.uint32(moved + np.uint32(112 << 23))
    subnormal = np.float32(np.uint32(moved + np.uint32(113 << 23)).view(np.float32) - np.float32(2.0**-14)).view(np.uint32)
    magnitude = normal if moved >= np.uint32(1 << 23) else subnormal
    return np.uint32(magnitude | (bits & np.uint32(0x8000)) << np.uint32(16)).view(np.float32)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def dot(one, other):
    """The inner product of two `kernel_rows` rows, float32."""
    total = np.float32(0)
    for column in range(len(one)):
        total += float32_value(one[column]) * float32_value(other[column])
    return total


@numba.njit(cache=True, nogil=True, parallel=True)
def _to_float32(rows, out):
    for row in numba.prange(len(rows)):
        for column in range(rows.shape[1]):
            out[row, column] = float32_value(rows[row, column])


@numba.njit(cache=True, nogil=True, parallel=True)
def _to_float16(bits, out):
    for row in numba.prange(len(bits)):
        for column in range(bits.shape[1]):
            magnitude = np.uint32(bits[row, column] & np.uint32(0x7FFFFFFF))
            # Round to nearest, ties to even: add half a unit (less one bit before an even result), then cut the 13 bits that float16 lacks.
            odd = np.uint32((magnitude >> np.uint32(13)) & np.uint32(1))
            normal = np.uint32(np.uint32(magnitude + odd + np.uint32(0xFFF) - np.uint32(112 << 23)) >> np.uint32(13))
            # Next to 0.5 the last bit of a float32 is worth 2^-24, like that of a subnormal float16: the addition itself rounds.
            subnormal = np.uint32(np.float32(magnitude.view(np.float32) + np.float32(0.5)).view(np.uint32) - np.uint32(0x3F000000))
            half = subnormal if magnitude < np.uint32(113 << 23) else min(normal, np.uint32(0x7C00))
            out[row, column] = np.uint16(half | ((bits[row, column] >> np.uint32(16)) & np.uint32(0x8000)))
