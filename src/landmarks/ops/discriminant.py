"""A projection learned from labels: what tells landmarks apart is kept, what varies within them is taken out."""

from __future__ import annotations

import numpy as np

from landmarks.ops.vectors import BLOCK, Whitening


def learn_discriminant(matrix: np.ndarray, labels: np.ndarray, dimensions: int, within: float, between: float) -> Whitening:
    """The projection of probabilistic linear discriminant analysis: x -> L2((x - mean) @ projection).

    matrix      (n, d) unit rows of the training images; labels (n,) int64, 0, 1, ...
    dimensions  kept, the most telling first
    within      shrinkage of the covariance within landmarks towards a multiple of the identity, 0-1
    between     shrinkage of the covariance between landmarks towards the total covariance, 0-1

        A whitens the covariance within landmarks; along the principal axes E of the covariance between them, so whitened,
        with variances b:  projection = A E diag(sqrt(b / (1 + b)))

    b / (1 + b) is the share of an axis that the landmark accounts for, so that the inner product of two projected images is
    the term of their log-likelihood ratio (same landmark or not) that tells candidates apart. Few landmarks do not span the
    axes along which others differ: `between` fills them in from the spread of all images.
    Source: Ioffe, Probabilistic Linear Discriminant Analysis, ECCV 2006; the two shrinkages are ours.
    Raises ValueError for fewer than two images.
    """
    rows, columns = matrix.shape
    if rows < 2:
        raise ValueError(f"a projection is learned from two images or more, not {rows}")
    mean = np.zeros(columns)
    for start in range(0, rows, BLOCK):
        mean += matrix[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    mean /= rows
    total, sums = np.zeros((columns, columns)), np.zeros((int(labels.max()) + 1, columns))
    for start in range(0, rows, BLOCK):
        centred = matrix[start : start + BLOCK] - mean
        total += centred.T @ centred
        np.add.at(sums, labels[start : start + BLOCK], centred)
    counts = np.maximum(np.bincount(labels, minlength=len(sums)), 1)
    total, spread = total / rows, (sums / np.sqrt(counts)[:, None]).T @ (sums / np.sqrt(counts)[:, None]) / rows
    inside = total - spread
    size = np.trace(total)
    if size <= 0:  # copies of one image: nothing to learn
        return Whitening(np.zeros(columns, np.float32), np.eye(columns, min(dimensions, columns), dtype=np.float32))
    inside = (1 - within) * inside + within * max(np.trace(inside), 1e-6 * size) / columns * np.eye(columns)
    spread = (1 - between) * spread + between * np.trace(spread) / size * total
    values, axes = np.linalg.eigh(inside)
    whiten = axes / np.sqrt(np.maximum(values, 1e-7 * values[-1]))
    ratios, principal = np.linalg.eigh(whiten.T @ spread @ whiten)
    ratios, principal = np.maximum(ratios[::-1][:dimensions], 0), principal[:, ::-1][:, :dimensions]
    projection = (whiten @ principal) * np.sqrt(ratios / (1 + ratios))
    return Whitening(mean.astype(np.float32), projection.astype(np.float32))
