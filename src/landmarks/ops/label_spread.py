"""Label distributions: the labels of the training images spread to every other image, through its neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from landmarks.ops.rows import BLOCK


class LabelDistributions(NamedTuple):
    """labels (n, kept) int32, -1 = none; shares (n, kept) float32, largest first, 0 where there is none; a row sums to at most 1."""

    labels: np.ndarray
    shares: np.ndarray


def joint_neighbours(
    train: tuple[np.ndarray, np.ndarray], index: tuple[np.ndarray, np.ndarray], neighbours: int, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest images among training and index images together, with weights that sum to 1.

    train, index  each (rows (n, k) int32, -1 = none; similarities (n, k) float32), most similar first
    neighbours    how many of both together
    power         weight = max(similarity, 0)^power / sum
    Returns numbers (n, neighbours) int64: training row r as -2 - r, index row as itself, -1 = none; weights float32. Of equal
    similarities the training image is the nearer.
    """
    images, width = len(train[0]), min(neighbours, train[0].shape[1] + index[0].shape[1])
    numbers, weights = np.empty((images, width), np.int64), np.empty((images, width), np.float32)
    for start in range(0, images, BLOCK):
        part = slice(start, start + BLOCK)
        of_train = train[0][part].astype(np.int64)
        rows = np.concatenate([np.where(of_train >= 0, -2 - of_train, -1), index[0][part]], axis=1)
        similarities = np.concatenate([train[1][part], index[1][part]], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :width]
        numbers[part] = rows = np.take_along_axis(rows, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
        powers = np.where(rows == -1, 0, np.maximum(similarities, 0)) ** np.float32(power) * (rows != -1)
        totals = powers.sum(axis=1, keepdims=True)
        weights[part] = powers / np.where(totals > 0, totals, 1)
    return numbers, weights


def spread_from_index(
    near: tuple[np.ndarray, np.ndarray], own: LabelDistributions, neighbours: int, power: float, kept: int
) -> LabelDistributions:
    """`spread_labels` where index images alone have labels, `own`. near: as `index` of `joint_neighbours`."""
    no_train = np.empty((len(near[0]), 0), np.int32), np.empty((len(near[0]), 0), np.float32)
    return spread_labels(*joint_neighbours(no_train, near, neighbours, power), np.empty(0, np.int64), own, kept)


def no_labels(images: int) -> LabelDistributions:
    """Of images that have none."""
    return LabelDistributions(np.full((images, 1), -1, np.int32), np.zeros((images, 1), np.float32))


def spread_labels(
    numbers: np.ndarray, weights: np.ndarray, train_labels: np.ndarray, index: LabelDistributions | None, kept: int
) -> LabelDistributions:
    """One step of spreading: an image's label distribution is the weighted mean of its neighbours'.

    numbers, weights  (n, k), as from `joint_neighbours`
    train_labels      (n_train,) int64: a training image has its own label
    index             the distributions of the index images so far; None = they have no labels yet
    kept              the largest shares that are kept
    An image whose neighbours are index images without labels has a small sum: its label is uncertain.
    Source: label propagation (Zhu and Ghahramani, 2002), the training images clamped.
    """
    if index is None:
        index = no_labels(1)
        numbers = np.where(numbers >= 0, -1, numbers)
    labels, shares = _spread(numbers, weights, np.asarray(train_labels, np.int64), index.labels, index.shares, kept)
    return LabelDistributions(labels, shares)


@numba.njit(cache=True, nogil=True, parallel=True)
def _spread(numbers, weights, train_labels, index_labels, index_shares, kept):
    rows, neighbours = numbers.shape
    width = index_labels.shape[1]
    labels, shares = np.full((rows, kept), -1, np.int32), np.zeros((rows, kept), np.float32)
    for row in numba.prange(rows):
        found, sums, count = np.empty(neighbours * width, np.int32), np.empty(neighbours * width, np.float32), 0
        for place in range(neighbours):
            number, weight = numbers[row, place], weights[row, place]
            if number == -1 or weight <= 0:
                continue
            if number < -1:
                count = _add(found, sums, count, train_labels[-2 - number], weight)
                continue
            for entry in range(width):
                if index_labels[number, entry] < 0:
                    break
                count = _add(found, sums, count, index_labels[number, entry], weight * index_shares[number, entry])
        for place in range(min(kept, count)):
            largest = 0
            for entry in range(1, count):
                if sums[entry] > sums[largest]:
                    largest = entry
            labels[row, place], shares[row, place] = found[largest], sums[largest]
            sums[largest] = -1
    return labels, shares


@numba.njit(cache=True, nogil=True, inline="always")
def _add(found, sums, count, label, amount):
    for known in range(count):
        if found[known] == label:
            sums[known] += amount
            return count
    found[count], sums[count] = label, amount
    return count + 1


def class_axes(classes: int, dimensions: int) -> np.ndarray:
    """A unit vector a class, (classes, at most `dimensions`) float32, so that label distributions become dense vectors.

    With no more classes than dimensions each has an axis of its own and nothing is lost; else the vectors are random ones,
    always the same, and two different classes have a similarity of about 1 / sqrt(dimensions).
    Source: random projection (Johnson and Lindenstrauss, 1984).
    """
    if classes <= dimensions:
        return np.eye(classes, dtype=np.float32)
    axes = np.random.default_rng(0).standard_normal((classes, dimensions), dtype=np.float32)
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def sketch_labels(distributions: LabelDistributions, axes: np.ndarray) -> np.ndarray:
    """Vectors (n, dimensions) float32 whose inner products are nearly those of the distributions; `axes` as of `class_axes`."""
    return _sketch(distributions.labels, distributions.shares, axes)


@numba.njit(cache=True, nogil=True, parallel=True)
def _sketch(labels, shares, axes):
    vectors = np.zeros((len(labels), axes.shape[1]), np.float32)
    for row in numba.prange(len(labels)):
        for place in range(labels.shape[1]):
            if labels[row, place] < 0:
                break
            share = shares[row, place]
            for column in range(axes.shape[1]):
                vectors[row, column] += share * axes[labels[row, place], column]
    return vectors
