"""Local features of one picture in stored form, and of many pictures packed into one object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landmarks.ops.local_features import LocalFeatures, quantise


def as_stored(keypoints: np.ndarray, descriptors: np.ndarray, storage: str) -> LocalFeatures:
    """The keypoints (m, 4) and descriptors (m, dimensions) float32 of one picture. storage: "float16" or "int8"."""
    if storage == "int8":
        descriptors, factors = quantise(descriptors)
    else:
        descriptors, factors = descriptors.astype(np.float16), None
    return LocalFeatures(descriptors=descriptors, factors=factors, keypoints=keypoints, offsets=np.array([0, len(keypoints)], np.int64))


def packed(pictures: Sequence[LocalFeatures], dimensions: int, storage: str) -> LocalFeatures:
    """The features of several pictures, each as `as_stored` returns them, one after the other."""
    counts = [len(one.keypoints) for one in pictures]
    return LocalFeatures(
        descriptors=np.concatenate([np.empty((0, dimensions), storage), *(one.descriptors for one in pictures)]),
        factors=np.concatenate([np.empty(0, np.float32), *(one.factors for one in pictures)]) if storage == "int8" else None,
        keypoints=np.concatenate([np.empty((0, 4), np.float32), *(one.keypoints for one in pictures)]),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
