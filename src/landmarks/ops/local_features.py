"""Local features of many images in flat arrays, and descriptors quantised to int8."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LocalFeatures(NamedTuple):
    """The local features of n images, m in all: image i has the rows offsets[i]:offsets[i + 1].

    descriptors  (m, d) float32, float16 or int8; each row a unit vector, int8 rows once multiplied by their factor
    factors      (m,) float32 beside int8, else None: descriptor = factor * row
    keypoints    (m, 4) float32: x, y in pixels of the original image, scale of the feature, attention
    offsets      (n + 1,) int64, from 0 to m
    """

    descriptors: np.ndarray
    factors: np.ndarray | None
    keypoints: np.ndarray
    offsets: np.ndarray


def quantise(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row as int8 times one factor, its largest component / 127: an error of at most half a factor a component.

    descriptors  (m, d) floating
    Returns (m, d) int8 in [-127, 127] and (m,) float32; a zero row has factor 0.
    """
    descriptors = np.asarray(descriptors, np.float32)
    factors = np.abs(descriptors).max(axis=1, initial=0) / np.float32(127)
    return np.rint(descriptors / np.where(factors > 0, factors, 1)[:, None]).astype(np.int8), factors
