"""The penalty for similarity to images that show no landmark."""

from __future__ import annotations

import numpy as np

from landmarks.ops.ordering import best_first


def non_landmark_penalty(
    indices: np.ndarray, scores: np.ndarray, non_landmark_similarities: np.ndarray, weight: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Subtract from every image's score its mean similarity to the nearest images that show no landmark.

    indices, scores            (n_query, k) int32 and float32, scores the cosines; -1 = none
    non_landmark_similarities  (n_index, m) float32: cosines of each index image to its m nearest non-landmark images, -inf = fewer
                               than m; an image with none loses nothing. m = 5 in the source
    Returns (indices, scores), the best first.
    Source: the winning entry of Google Landmark Recognition 2020 (Henkel and Singer, "Supporting large-scale image recognition with
    out-of-domain samples").
    """
    penalty = weight * mean_similarity(non_landmark_similarities)
    if len(penalty) == 0:
        return best_first(indices, scores)
    return best_first(indices, scores - penalty[indices].astype(np.float32))


def mean_similarity(similarities: np.ndarray) -> np.ndarray:
    """The mean of each row's similarities (n, m) floating point, -inf = none: (n,) float32, 0 of nothing."""
    found = np.isfinite(similarities)
    total = np.where(found, similarities, 0).sum(axis=1, dtype=np.float32)
    return (total / np.maximum(found.sum(axis=1), 1)).astype(np.float32)
