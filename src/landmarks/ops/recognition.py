"""Which landmark a photo shows, by the images that verification found for it (DELG's recognition score)."""

from __future__ import annotations

import numpy as np

from landmarks.ops.voting import Votes, label_votes

MANY_INLIERS = 70  # more than these say nothing more (Cao et al., ECCV 2020)
COSINE_WEIGHT = 0.25


def recognition_votes(labels: np.ndarray, inliers: np.ndarray, cosines: np.ndarray) -> Votes:
    """The label with the largest recognition score of each query; its score is the confidence in it.

    labels   (n_query, k) int64 of the images found for each query, best first, -1 = none
    inliers  (n_query, k) integers, cosines (n_query, k) floating point: of that image with the query; ignored where there is none

        score(label) = sum over its images of min(70, inliers) / 70 + 0.25 * cosine

    Of equal scores the label of the image found first wins. Source: Cao et al., ECCV 2020.
    """
    evidence = np.minimum(inliers, MANY_INLIERS) / MANY_INLIERS + COSINE_WEIGHT * np.where(labels >= 0, cosines, 0)
    votes = label_votes(labels, evidence.astype(np.float32))
    return Votes(votes.labels, votes.scores * np.float32(labels.shape[1]))
