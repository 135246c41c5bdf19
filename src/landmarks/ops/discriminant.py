"""A projection learned from labels: keeps what distinguishes landmarks, removes what varies within them."""

from __future__ import annotations

import numpy as np

from landmarks.ops.rows import BLOCK, Rows
from landmarks.ops.vectors import Whitening

PRIOR_LANDMARKS = 16  # measured from 17 to 305 landmarks (EXPERIMENTS.md)


def learn_discriminant(matrix: Rows, labels: np.ndarray, dimensions: int, within: float | None = None) -> Whitening:
    """The projection of a linear discriminant analysis that generalises to unseen landmarks: x -> L2((x - mean) @ projection).

    matrix      (n, d) unit rows of the training images; labels (n,) int64, 0, 1, ...
    dimensions  kept, the most discriminative first
    within      shrinkage of the covariance within landmarks towards a multiple of the identity, 0-1; None = `auto_shrinkage`

        A whitens the covariance within landmarks; along the principal axes E of the covariance between them, so whitened,
        with variances b:  projection = A E diag(sqrt(b / (1 + b)))

    b / (1 + b) is the share of an axis' variance that the landmark explains, so that the inner product of two projected images is
    the term of their log-likelihood ratio (same landmark or not) that ranks candidates (Ioffe, Probabilistic Linear
    Discriminant Analysis, ECCV 2006). A few landmarks do not span the axes along which others differ: the covariance of their
    centres is averaged with that of all images, which counts as much as PRIOR_LANDMARKS landmarks (ours).
    Raises ValueError for fewer than two images.
    """
    rows, columns = matrix.shape
    mean = _mean(matrix)
    total, sums = np.zeros((columns, columns)), np.zeros((int(labels.max()) + 1, columns))
    for start in range(0, rows, BLOCK):
        centred = matrix[start : start + BLOCK] - mean
        total += centred.T @ centred
        np.add.at(sums, labels[start : start + BLOCK], centred)
    counts = np.maximum(np.bincount(labels, minlength=len(sums)), 1)
    centres = sums / np.sqrt(counts)[:, None]
    total, between = total / rows, centres.T @ centres / rows
    inside = total - between
    size, size_inside = np.trace(total), max(np.trace(inside), 0.0)
    if size <= 0:  # copies of one image: nothing to learn
        return Whitening(np.zeros(columns, np.float32), np.eye(columns, min(dimensions, columns), dtype=np.float32))
    if within is None:
        within = auto_shrinkage(_fourth_moment(matrix, mean, (labels, sums / counts[:, None])), inside, rows)
    whiten = _whitener((1 - within) * inside + within * max(size_inside, 1e-6 * size) / columns * np.eye(columns))
    landmarks = np.count_nonzero(np.bincount(labels))
    prior = PRIOR_LANDMARKS / (PRIOR_LANDMARKS + landmarks)
    between = (1 - prior) * between + prior * max(np.trace(between), 1e-6 * size) / size * total
    ratios, principal = np.linalg.eigh(whiten.T @ between @ whiten)
    ratios, principal = np.maximum(ratios[::-1][:dimensions], 0), principal[:, ::-1][:, :dimensions]
    projection = (whiten @ principal) * np.sqrt(ratios / (1 + ratios))
    return Whitening(mean.astype(np.float32), projection.astype(np.float32))


def learn_shrunk_whitening(matrix: Rows) -> Whitening:
    """Whitening with all dimensions kept and the covariance of the images (n, d) shrunk by `auto_shrinkage`.

    Axes along which a few images happen not to differ are not amplified. Raises ValueError for fewer than two images.
    """
    rows, columns = matrix.shape
    mean, covariance = _mean(matrix), np.zeros((columns, columns))
    for start in range(0, rows, BLOCK):
        centred = matrix[start : start + BLOCK] - mean
        covariance += centred.T @ centred / rows
    if not covariance.any():
        return Whitening(np.zeros(columns, np.float32), np.eye(columns, dtype=np.float32))
    shrinkage = auto_shrinkage(_fourth_moment(matrix, mean), covariance, rows)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / columns * np.eye(columns)
    return Whitening(mean.astype(np.float32), _whitener(shrunk).astype(np.float32))


def auto_shrinkage(fourth_moment: float, covariance: np.ndarray, rows: int) -> float:
    """The shrinkage of a covariance estimated from few images: 0 = use it as it is, 1 = replace it by a multiple of the identity.

    fourth_moment  mean of |x|^4 over the `rows` centred images x of which `covariance` (d, d) is the mean of x x^T
    Twice the square root of the shrinkage that brings the estimate nearest to the truth (Ledoit and Wolf, 2004): an inverse
    needs more of it than the covariance itself. The factor is ours: measured from 17 to 305 landmarks (EXPERIMENTS.md).
    """
    columns = len(covariance)
    square = float((covariance**2).sum())
    apart = square - np.trace(covariance) ** 2 / columns  # squared distance to the multiple of the identity
    noise = (fourth_moment - square) / rows
    return min(1.0, 2 * np.sqrt(max(noise, 0.0) / apart)) if apart > 0 else 1.0


def _mean(matrix: Rows) -> np.ndarray:
    if len(matrix) < 2:
        raise ValueError(f"a projection is learned from two images or more, not {len(matrix)}")
    mean = np.zeros(matrix.shape[1])
    for start in range(0, len(matrix), BLOCK):
        mean += matrix[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    return mean / len(matrix)


def _whitener(covariance: np.ndarray) -> np.ndarray:
    values, axes = np.linalg.eigh(covariance)
    return axes / np.sqrt(np.maximum(values, 1e-7 * values[-1]))


def _fourth_moment(matrix: Rows, mean: np.ndarray, landmarks: tuple[np.ndarray, np.ndarray] | None = None) -> float:
    """Mean of |x|^4, x the image's descriptor less the mean; less its landmark's centre too, given (labels (n,), centres)."""
    total = 0.0
    for start in range(0, len(matrix), BLOCK):
        x = matrix[start : start + BLOCK] - mean
        if landmarks is not None:
            labels, centres = landmarks
            x -= centres[labels[start : start + BLOCK]]
        total += float(((x**2).sum(axis=1) ** 2).sum())
    return total / len(matrix)
