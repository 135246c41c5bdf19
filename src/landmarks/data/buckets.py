"""A few shapes for pictures of any aspect ratio, so that they fill batches without being distorted."""

from __future__ import annotations

import numpy as np

from landmarks.data.images import resize_to_cover
from landmarks.ops.sides import ANY, Sides, Size

STEP = 32  # pixels between the shorter sides of adjacent buckets: the usual stride of a backbone's last map


def bucket_shape(height: int, width: int, longest_side: int, sides: Sides = ANY) -> Size:
    """The size that a picture of this size is resized and cropped to.

    The longer side becomes `longest_side`, or the nearest that `sides` takes. The shorter one would be t by the aspect ratio, and
    becomes the nearest multiple of 32 (of 28 where only multiples of 14 are taken), at least one and at most the longer side. For
    t >= 16 `fit_to_bucket` therefore crops at most 16 pixels of the shorter side, or the share 16 / (t + 16) of the longer one: a
    3:2 photo at 800 (t = 533) becomes 544 high and loses 2 % of its width.
    """
    shorter, longer = sorted((height, width))
    longest_side, step = sides.one(longest_side), sides.step * max(1, round(STEP / sides.step))
    steps = (2 * longest_side * shorter + step * longer) // (2 * step * longer)  # rounded to nearest in integers
    side = min(max(step, step * steps, sides.smallest), longest_side)
    return Size(longest_side, side) if height >= width else Size(side, longest_side)


def fit_to_bucket(image: np.ndarray, longest_side: int, sides: Sides = ANY) -> np.ndarray:
    """Scale (h, w, 3) uint8 uniformly to cover its bucket and crop the excess evenly on both sides."""
    return resize_to_cover(image, *bucket_shape(image.shape[0], image.shape[1], longest_side, sides))
