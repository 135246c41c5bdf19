"""Label probabilities by the nearest class centre, in closed form: what a trained softmax classifier would say, without training."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.rows import BLOCK, Rows, row_blocks
from landmarks.ops.vectors import l2_normalise

_NUMBERS = 1 << 25  # similarities in memory at a time: 0.1 GB
_CHUNK = 256  # classes that are looked through at a time


def class_centres(rows: Rows, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean of each class' unit rows, of length one: (classes, d) float32; zero for a class without rows.

    rows (n, d), labels (n,) 0..classes-1
    """
    sums = np.zeros((classes, rows.shape[1]), np.float64)
    for start, block in zip(range(0, max(1, len(rows)), BLOCK), row_blocks(rows)):
        np.add.at(sums, labels[start : start + BLOCK], block)
    return l2_normalise(sums)


def class_probabilities(rows: np.ndarray, centres: np.ndarray, scale: float, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """The `kept` most probable classes of each row, the most probable first: labels (n, kept) int32 and probabilities float32.

        p(c | x) = exp(scale * cos(x, centre_c)) / sum over all classes c'

    rows (n, d) and centres (classes, d) of length one; kept 1 or more, at most the number of classes. Of equal classes the one with the
    smaller number comes first.
    Source: cosine softmax with class means as weights (Qi et al., "Low-Shot Learning with Imprinted Weights", CVPR 2018).
    """
    kept = min(kept, len(centres))
    labels, probabilities = np.empty((len(rows), kept), np.int32), np.empty((len(rows), kept), np.float32)
    block = max(1, _NUMBERS // max(1, len(centres)))
    for start in range(0, len(rows), block):
        part = slice(start, start + block)
        cosines = rows[part].astype(np.float32) @ centres.T
        _most_probable(cosines, np.float32(scale), labels[part], probabilities[part])
    return labels, probabilities


@numba.njit(cache=True, nogil=True, parallel=True)
def _most_probable(cosines, scale, labels, probabilities):
    """Writes both results. One pass finds the largest cosines, a second one sums the powers: each row is in the processor's cache."""
    classes, kept = cosines.shape[1], labels.shape[1]
    for row in numba.prange(len(cosines)):
        best, count = probabilities[row], 0
        for start in range(0, classes, _CHUNK):
            part = cosines[row, start : start + _CHUNK]
            if count == kept and _largest(part) <= best[kept - 1]:
                continue
            for column in range(len(part)):
                if count == kept and part[column] <= best[kept - 1]:
                    continue
                place = min(count, kept - 1)
                count = min(count + 1, kept)
                while place > 0 and best[place - 1] < part[column]:
                    best[place], labels[row, place] = best[place - 1], labels[row, place - 1]
                    place -= 1
                best[place], labels[row, place] = part[column], start + column
        powers, total = np.empty(_CHUNK, np.float32), 0.0
        for start in range(0, classes, _CHUNK):
            part = cosines[row, start : start + _CHUNK]
            _write_powers(part, best[0], scale, powers)
            total += _sum(powers[: len(part)])
        _write_powers(best.copy(), best[0], scale, best)
        for place in range(kept):
            best[place] /= total


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _largest(values):
    largest = values[0]
    for value in values:
        largest = max(largest, value)
    return largest


@numba.njit(cache=True, nogil=True, fastmath={"reassoc"})
def _sum(values):
    total = np.float32(0)
    for value in values:
        total += value
    return total


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _write_powers(values, most, scale, out):
    """exp(scale * (value - most)): 2 to a whole number by its bits, times a polynomial; NumPy takes ten times as long here."""
    for place in range(len(values)):
        exponent = max(scale * (values[place] - most), np.float32(-87)) * np.float32(1.4426950408889634)  # -87: float32 ends there
        whole = np.floor(exponent + np.float32(0.5))
        rest = (exponent - whole) * np.float32(0.6931471805599453)
        power = np.float32(1 / 720)
        for coefficient in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
            power = power * rest + np.float32(coefficient)
        out[place] = power * np.uint32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
