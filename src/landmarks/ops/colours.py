"""Brightness and contrast of pictures."""

from __future__ import annotations

import numba
import numpy as np


def multiply_add(image: np.ndarray, factor: float, added: float) -> np.ndarray:
    """uint8 of any shape -> the same shape: factor * value + added in float32, cut off to whole numbers and to 0..255."""
    image = np.ascontiguousarray(image)
    out = np.empty_like(image)
    _multiply_add(image.reshape(-1), np.float32(factor), np.float32(added), out.reshape(-1))
    return out


def load_kernel() -> None:
    """As `area.load_kernels`."""
    multiply_add(np.zeros(1, np.uint8), 1, 0)


@numba.njit(cache=True, nogil=True)
def _multiply_add(values, factor, added, out):
    for number in range(values.size):
        whole = np.int32(np.float32(values[number]) * factor + added)
        out[number] = np.uint8(min(max(whole, np.int32(0)), np.int32(255)))
