"""The same picture twice: resized, recompressed or recoloured copies of one photo."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 32  # pixels of the small grey image that everything here is computed from
ROWS = 256  # of a photo, converted to grey at once
BLOCK = 256  # hashes compared with all others at once: 50,000 photos need about 100 MB
# Measured on 1,368 web photos of 23 landmarks: copies correlate by 0.98 or more, different photos by 0.93 at most.
SAME_PICTURE = 0.95


def small_grey(image: np.ndarray) -> np.ndarray:
    """A photo (height, width) or (height, width, 3) uint8 as (32, 32) uint8 grey, each pixel the mean of its area.

    Copies of different size stay most similar when the photo has 256 pixels a side or more.
    """
    # In strips: Pillow holds 4 bytes a pixel of colour.
    strips = [np.asarray(Image.fromarray(image[top : top + ROWS]).convert("L")) for top in range(0, len(image), ROWS)]
    return np.asarray(Image.fromarray(np.concatenate(strips)).resize((SIDE, SIDE), Image.Resampling.BOX))


def perceptual_hashes(small: np.ndarray) -> np.ndarray:
    """(n, 32, 32) uint8 -> (n,) uint64: which of the 8x8 lowest frequencies of the cosine transform exceed their median.

    A copy shrunk to 0.4-0.6 of its size and compressed again differs in 1 bit on average, in at most 3 for 97-99 of 100 photos.
    """
    position, frequency = np.arange(SIDE), np.arange(8)
    basis = np.cos(np.pi * np.outer(frequency, 2 * position + 1) / (2 * SIDE)).astype(np.float32)
    coefficients = (basis @ small.astype(np.float32) @ basis.T).reshape(-1, 64)
    above = coefficients > np.median(coefficients, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64).reshape(-1)


def near_duplicate_pairs(small: np.ndarray, bits: int) -> np.ndarray:
    """Pairs of photos whose hashes differ in at most `bits` and whose thumbnails correlate by more than 0.95.

    small    (n, 32, 32) uint8
    bits     0..64; negative finds no pair
    returns  (m, 2) int64, first < second, in ascending order. A picture of one even colour has no duplicates.
    """
    if bits < 0 or len(small) == 0:
        return np.zeros((0, 2), np.int64)
    hashes = perceptual_hashes(small)
    found = []
    for start in range(0, len(hashes), BLOCK):
        block = hashes[start : start + BLOCK]
        row, column = np.nonzero(np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= bits)
        later = column > row
        found.append(np.stack([row[later], column[later]], axis=1) + start)
    pairs = np.concatenate(found)
    # 64 bits alone sometimes confuse two skylines; the thumbnails compare where the light and dark areas are.
    return pairs[_correlations(small, pairs) > SAME_PICTURE]


def first_of_each(pairs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The photo that represents each: (n,) int64 position of the photo kept in its place (its own if it is kept), and (n,) bool conflicts.

    Among duplicates with one label the first in order is kept. No photo is dropped as the duplicate of one that is itself dropped,
    so the two ends of a chain of slightly different photos are both kept.
    A photo with a duplicate under another label is a conflict: one of the labels is wrong, or it shows both landmarks.
    Neither training nor scoring can use it, so it is dropped with all its copies.

    pairs   (m, 2) int64, first < second, in ascending order
    labels  (n,)
    """
    conflicts = np.zeros(len(labels), bool)
    differ = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    conflicts[pairs[differ]] = True
    conflicts[pairs[conflicts[pairs].any(axis=1)]] = True
    representatives = np.arange(len(labels))
    for first, second in pairs[~differ]:  # ascending: whether `first` is kept is decided before it is used
        if representatives[first] == first and representatives[second] == second and not conflicts[first] and not conflicts[second]:
            representatives[second] = first
    return representatives, conflicts


def _correlations(small: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Pearson correlation of the 16x16 thumbnails of each pair: (m,) float32; 0 for an even picture."""
    result = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), 65536):
        part = pairs[start : start + 65536]
        first, second = _standardised(small[part[:, 0]]), _standardised(small[part[:, 1]])
        result[start : start + 65536] = (first * second).sum(axis=1)
    return result


def _standardised(small: np.ndarray) -> np.ndarray:
    thumbnails = small.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4), dtype=np.float32).reshape(len(small), -1)
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    return thumbnails / np.maximum(np.linalg.norm(thumbnails, axis=1, keepdims=True), 1e-3)
