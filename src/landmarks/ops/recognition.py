"""Which landmark a photo shows, and how confident that is: by the most similar training images (DELG's recognition score)."""

from __future__ import annotations

import numpy as np

from landmarks.ops.voting import Votes, label_votes

MAX_INLIERS = 70  # more inliers add nothing to the score (Cao et al., ECCV 2020)


def recognition_votes(labels: np.ndarray, inliers: np.ndarray, cosines: np.ndarray, cosine_weight: float = 0.25) -> Votes:
    """The label with the largest recognition score of each query; its score is the confidence in it.

    labels   (n_query, k) int64 of the images found for each query, best first, -1 = none
    inliers  (n_query, k) integers, cosines (n_query, k) floating point: of that image with the query; ignored where there is none

        score(label) = sum over its images of min(70, inliers) / 70 + cosine_weight * cosine

    Of equal scores the label of the image found first wins. Source: Cao et al., ECCV 2020, where the weight is 0.25; with 1 it is
    the recognition solution of Yokoo et al.
    """
    evidence = np.minimum(inliers, MAX_INLIERS) / MAX_INLIERS + cosine_weight * np.where(labels >= 0, cosines, 0)
    votes = label_votes(labels, evidence.astype(np.float32))
    return Votes(votes.labels, votes.scores * np.float32(labels.shape[1]))


def demote_frequent(votes: Votes, max_queries: int) -> np.ndarray:
    """Confidences (n_query,) float32 in which the labels predicted for more than `max_queries` queries rank behind all others.

    A label predicted that often attracts photos that show no landmark. Among themselves the demoted keep their order;
    the others keep their confidence. Queries without a label (-1) are not counted. Source: Yokoo et al., with 30.
    """
    labels, numbers, counts = np.unique(votes.labels, return_inverse=True, return_counts=True)
    demoted = (counts > max_queries)[numbers] & (votes.labels >= 0)
    if not demoted.any():
        return votes.scores
    # Lower by the whole range, and by one more, so that the best of them does not tie with the last of the others.
    drop = votes.scores.max() - votes.scores.min() + np.float32(1)
    return np.where(demoted, votes.scores - drop, votes.scores).astype(np.float32)
