"""Label probabilities by the nearest class centre, in closed form: what a trained softmax classifier would say, without training."""

from __future__ import annotations

import numpy as np

from landmarks.ops.rows import BLOCK, Rows, row_blocks
from landmarks.ops.vectors import l2_normalise

_NUMBERS = 1 << 25  # similarities in memory at a time: 0.1 GB


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

    rows (n, d) and centres (classes, d) of length one; kept at most the number of classes.
    Source: cosine softmax with class means as weights (Qi et al., "Low-Shot Learning with Imprinted Weights", CVPR 2018).
    """
    kept = min(kept, len(centres))
    labels, probabilities = np.empty((len(rows), kept), np.int32), np.empty((len(rows), kept), np.float32)
    block = max(1, _NUMBERS // max(1, len(centres)))
    for start in range(0, len(rows), block):
        logits = np.float32(scale) * (rows[start : start + block].astype(np.float32) @ centres.T)
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        best = np.argpartition(-shares, kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(shares, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        labels[start : start + block] = np.take_along_axis(best, order, axis=1)
        probabilities[start : start + block] = np.take_along_axis(values, order, axis=1)
    return labels, probabilities
