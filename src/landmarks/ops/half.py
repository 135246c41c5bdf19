"""float16 read inside compiled loops, which know no float16: a matrix stays as small as it is stored, and is never converted whole."""

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
