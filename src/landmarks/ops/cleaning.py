"""Which training images stay: those that other photos of their landmark confirm (Yokoo et al., CVPRW 2020)."""

from __future__ import annotations

import numpy as np


def same_label_neighbours(neighbours: np.ndarray, images: np.ndarray, labels: np.ndarray, max_pairs: int) -> np.ndarray:
    """Each image's nearest images of its own label, itself left out, as (p, 2) int64 pairs (image, neighbour), nearest first.

    neighbours  (n, k) integers: rows of the nearest images of all, nearest first, -1 = none
    images      (n,) integers: the row of each of these images itself
    labels      (n_all,) integers
    max_pairs   most pairs of one image
    """
    wanted = (neighbours >= 0) & (neighbours != images[:, None]) & (labels[neighbours] == labels[images][:, None])
    wanted &= np.cumsum(wanted, axis=1) <= max_pairs
    rows, places = np.nonzero(wanted)
    return np.column_stack([images[rows], neighbours[rows, places]]).astype(np.int64, copy=False)


def images_to_keep(
    labels: np.ndarray, pairs: np.ndarray, inliers: np.ndarray, *, min_inliers: int, min_pairs: int, min_images: int
) -> np.ndarray:
    """Images with at least `min_pairs` verified pairs, of labels that keep at least `min_images` of them: (n,) bool.

    labels   (n,) integers
    pairs    (p, 2) integers (image, neighbour), each once; a pair counts for its image, not for its neighbour
    inliers  (p,) integers; a pair is verified at `min_inliers`
    """
    verified = np.bincount(pairs[inliers >= min_inliers, 0], minlength=len(labels))
    kept = verified >= min_pairs
    _, label_numbers = np.unique(labels, return_inverse=True)
    return kept & (np.bincount(label_numbers[kept], minlength=1 + label_numbers.max(initial=-1))[label_numbers] >= min_images)
