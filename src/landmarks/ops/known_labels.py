"""How certainly an image shows a landmark that train knows, and which: label distributions on a scale that does not depend on depth."""

from __future__ import annotations

import numpy as np

from landmarks.ops.label_spread import LabelDistributions


def own_share(distributions: LabelDistributions, labels: np.ndarray) -> float:
    """The mean share that images give to their own label (n,): what an image of a known landmark is expected to have. 0 without images."""
    own = np.where(distributions.labels == labels[:, None], distributions.shares, 0).sum(axis=1)
    return float(own.mean()) if len(own) else 0.0


def on_scale(distributions: LabelDistributions, expected: float) -> LabelDistributions:
    """The shares divided by `expected`, as of `own_share`; a row that would sum to more than 1 is cut to 1.

    Few training images among many index images give small shares to all; divided, an image of a known landmark has a sum of about 1.
    """
    shares = distributions.shares / np.float32(expected) if expected > 0 else distributions.shares
    sums = shares.sum(axis=1, keepdims=True)
    return LabelDistributions(distributions.labels, shares / np.maximum(sums, 1))


def without_label(distributions: LabelDistributions, labels: np.ndarray) -> LabelDistributions:
    """The same distributions, in each row the share of one label (n,) taken away."""
    return LabelDistributions(distributions.labels, np.where(distributions.labels == labels[:, None], 0, distributions.shares))


def combine(spread: LabelDistributions, labels: np.ndarray, probabilities: np.ndarray, floor: float) -> LabelDistributions:
    """The labels of `spread` (n, kept), each with sqrt(share * (probability + floor)), in the same order, normalised to sum 1.

    labels, probabilities  (n, classes kept), as a classifier has them; a label that is not among them has the probability 0
    floor                  what a classifier cannot take away
    A row without any share stays without. Source: the geometric mean of two opinions (logarithmic opinion pool, Genest and Zidek, 1986).
    """
    product = np.zeros(spread.shares.shape, np.float32)
    for place in range(spread.labels.shape[1]):
        own = spread.labels[:, place]
        probability = np.where(labels == own[:, None], probabilities, 0).sum(axis=1)
        product[:, place] = np.where(own >= 0, np.sqrt(spread.shares[:, place] * (probability + np.float32(floor))), 0)
    sums = product.sum(axis=1, keepdims=True)
    return LabelDistributions(spread.labels, product / np.where(sums > 0, sums, 1))


def side_by_side(first: LabelDistributions, second: LabelDistributions, offset: int) -> LabelDistributions:
    """Both distributions as one: the labels of the second (n, kept) are numbered from `offset` on. Largest shares first."""
    labels = np.concatenate([first.labels, np.where(second.labels >= 0, second.labels + offset, -1)], axis=1)
    shares = np.concatenate([first.shares, second.shares], axis=1)
    order = np.argsort(np.where(labels >= 0, -shares, np.inf), axis=1, kind="stable")
    return LabelDistributions(np.take_along_axis(labels, order, axis=1).astype(np.int32), np.take_along_axis(shares, order, axis=1))
