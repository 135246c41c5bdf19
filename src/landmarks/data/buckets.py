"""A few shapes for pictures of any aspect ratio, so that they fill batches without being distorted."""

from __future__ import annotations

import numpy as np

from landmarks.data.images import resize_to_cover

STEP = 32  # pixels between the shorter sides of adjacent buckets: the stride of the backbone's last map


def bucket_shape(height: int, width: int, longest_side: int) -> tuple[int, int]:
    """The (height, width) that a picture of this size is resized and cropped to.

    The longer side becomes `longest_side`. The shorter one would be t by the aspect ratio, and becomes the nearest multiple of 32, at
    least 32 and at most `longest_side`. For t >= 16 `fit_to_bucket` therefore crops at most 16 pixels of the shorter side,
    or the share 16 / (t + 16) of the longer one: a 3:2 photo at 800 (t = 533) becomes 544 high and loses 2 % of its width.
    """
    shorter, longer = sorted((height, width))
    steps = (2 * longest_side * shorter + STEP * longer) // (2 * STEP * longer)  # rounded to nearest in integers
    side = min(max(STEP, STEP * steps), longest_side)
    return (longest_side, side) if height >= width else (side, longest_side)


def fit_to_bucket(image: np.ndarray, longest_side: int) -> np.ndarray:
    """Scale (h, w, 3) uint8 uniformly to cover its bucket and crop the excess evenly on both sides."""
    return resize_to_cover(image, *bucket_shape(image.shape[0], image.shape[1], longest_side))
