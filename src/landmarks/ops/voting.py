"""An image's label, by the vote of its nearest training images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Votes(NamedTuple):
    """labels (n,) int64, -1 = no vote (no training image); scores (n,) float32, in [-1, 1] for unit vectors."""

    labels: np.ndarray
    scores: np.ndarray

    def rows(self, images: np.ndarray | slice) -> Votes:
        """The votes of these images."""
        return Votes(self.labels[images], self.scores[images])


def label_votes(neighbour_labels: np.ndarray, similarities: np.ndarray) -> Votes:
    """The label with the largest mean similarity among each image's nearest training images.

    neighbour_labels  (n, k) int64, nearest first, -1 = no such neighbour
    similarities      (n, k) float32, cosine to that neighbour; ignored where there is none

        v(x, c) = 1/k * sum over the k neighbours of similarity * [its label is c]
        label = argmax v, score = max v; of equal values the label of the nearer neighbour wins

    Source: Yokoo et al., section 3.3.
    """
    n, k = neighbour_labels.shape
    if n == 0 or k == 0:
        return Votes(np.full(n, -1, np.int64), np.zeros(n, np.float32))
    absent = neighbour_labels < 0
    similarities = np.where(absent, np.float32(0), similarities)
    # k columns of n rather than n rows of k, so that every operation below runs over long, contiguous arrays.
    columns, weights = np.ascontiguousarray(neighbour_labels.T), np.ascontiguousarray(similarities.T)
    labels, best = np.full(n, -1, np.int64), np.full(n, -np.inf, np.float32)
    for candidate in range(k):
        value = np.zeros(n, np.float32)
        for voter in range(k):  # always in this order: a label's sum is then the same for each of its neighbours
            value += weights[voter] * (columns[voter] == columns[candidate])
        wins = (value > best) & ~absent[:, candidate]
        best[wins], labels[wins] = value[wins], columns[candidate][wins]
    return Votes(labels, np.where(labels >= 0, best / np.float32(k), np.float32(0)))
