"""Weights of the models of an ensemble, fitted on images of known landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision
from landmarks.progress import progress
from landmarks.seeds import seed_of

WEIGHTS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)  # that are tried for a model; they act squared
FOLDS = 5
AT = 100
_ROUNDS = 3


class Fitted(NamedTuple):
    """weights     (models,) float64, the largest 1; all 1 where none are surely better than equal ones
    alone       (models,) mAP@100 of each model, 0 to 1
    equal       mAP@100 with equal weights
    held_out    mAP@100 of queries with weights that were fitted without them
    gain        95 % interval of held_out - equal, by paired bootstrap over queries
    """

    weights: np.ndarray
    alone: np.ndarray
    equal: float
    held_out: float
    gain: tuple[float, float]


class Similarities:
    """How similar queries are to the images that they are searched in, by each model.

    queries, images   a matrix for each model, (n_query, d) and (n_image, d) float32, rows of length 1
    query_labels      (n_query,) integers, image_labels (n_image,): images of the query's label are true
    itself            (n_query,) integers: the query's own place among the images, which is left out; -1 = it is not among them

    Queries without a true image are left out.
    """

    def __init__(
        self,
        queries: Sequence[np.ndarray],
        images: Sequence[np.ndarray],
        query_labels: np.ndarray,
        image_labels: np.ndarray,
        itself: np.ndarray,
    ):
        truth = [
            np.flatnonzero((image_labels == label) & (np.arange(len(image_labels)) != own))
            for label, own in zip(query_labels, itself, strict=True)
        ]
        kept = np.array([len(true) > 0 for true in truth], bool)
        self._truth = [true for true in truth if len(true)]
        self._itself = itself[kept]
        self._matrices = [one[kept] @ other.T for one, other in zip(queries, images, strict=True)]

    def __len__(self) -> int:
        return len(self._truth)

    @property
    def models(self) -> int:
        return len(self._matrices)

    def precisions(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """AP@100 of these queries in the ensemble with these weights, (n,) float64."""
        together = np.zeros((len(rows), self._matrices[0].shape[1]), np.float32)
        for weight, matrix in zip(weights, self._matrices, strict=True):
            together += np.float32(weight**2) * matrix[rows]  # rows of all images have the same length: it changes no order
        own = self._itself[rows]
        together[np.flatnonzero(own >= 0), own[own >= 0]] = -np.inf
        kept = min(AT, together.shape[1])
        best = np.argpartition(-together, kept - 1, axis=1)[:, :kept]
        order = np.argsort(-np.take_along_axis(together, best, axis=1), axis=1, kind="stable")
        truth = [self._truth[row] for row in rows]
        return average_precision(np.take_along_axis(best, order, axis=1), np.concatenate(truth), np.cumsum([0, *map(len, truth)]), AT)


def fit_weights(similarities: Similarities, seed: int = 0) -> Fitted:
    """Weights that find most, by coordinate ascent from equal ones; equal ones where those gain nothing that is sure.

    What weights gain is seen on queries that they were not fitted on, in five folds. Needs 10 queries or more.
    """
    count, models = len(similarities), similarities.models
    if count < 2 * FOLDS:
        raise ValueError(f"{count} queries are too few to fit weights on: it takes {2 * FOLDS}")
    every, ones = np.arange(count), np.ones(models)
    equal = similarities.precisions(ones, every)
    alone = np.array([similarities.precisions(one, every).mean() for one in np.eye(models)])
    fold = np.random.default_rng(seed_of(seed, "folds")).permutation(count) % FOLDS
    unseen = np.empty(count)
    for number in progress(range(FOLDS), "fit weights", "fold", total=FOLDS):
        weights = _ascend(similarities, np.flatnonzero(fold != number))
        unseen[fold == number] = similarities.precisions(weights, np.flatnonzero(fold == number))
    low, high = mean_interval((unseen - equal)[:, None])[:, 0]
    weights = _ascend(similarities, every) if low > 0 else ones
    return Fitted(weights, alone, float(equal.mean()), float(unseen.mean()), (float(low), float(high)))


def _ascend(similarities: Similarities, rows: np.ndarray) -> np.ndarray:
    """One weight after the other is set to the best that is tried, while the mAP of these queries rises; the largest becomes 1."""
    weights = np.ones(similarities.models)
    best = float(similarities.precisions(weights, rows).mean())
    for _ in range(_ROUNDS):
        before = best
        for model in range(len(weights)):
            for value in WEIGHTS:
                tried = weights.copy()
                tried[model] = value
                score = float(similarities.precisions(tried, rows).mean())
                if score > best:
                    best, weights = score, tried
        if best == before:
            break
    return weights / weights.max()
