"""Shapes that pictures of any aspect ratio share, so that they fill batches without being distorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from landmarks.data.images import resize_to_cover

STEP = 32  # pixels between the shorter sides of neighbouring buckets: the stride of the backbone's last map


def bucket_shape(height: int, width: int, longest_side: int) -> tuple[int, int]:
    """The (height, width) that a picture of this size is fitted to.

    The longer side becomes `longest_side`; the shorter one, which the aspect ratio puts at t, the nearest multiple of 32, at
    least 32 and at most `longest_side`. For t >= 16 `fit_to_bucket` therefore cuts off at most 16 pixels of the shorter side,
    or the share 16 / (t + 16) of the longer one: a 3:2 photo at 800 (t = 533) loses 2 % of its width at 544.
    """
    shorter, longer = sorted((height, width))
    steps = (2 * longest_side * shorter + STEP * longer) // (2 * STEP * longer)  # rounded to nearest in integers
    side = min(max(STEP, STEP * steps), longest_side)
    return (longest_side, side) if height >= width else (side, longest_side)


def fit_to_bucket(image: np.ndarray, longest_side: int) -> np.ndarray:
    """Scale (h, w, 3) uint8 uniformly to cover its bucket and cut the overhang off evenly on both sides."""
    return resize_to_cover(image, *bucket_shape(*image.shape[:2], longest_side))


def batches_by_shape(items: Iterable[tuple[Any, np.ndarray]], batch_size: int) -> Iterator[tuple[list[Any], list[np.ndarray]]]:
    """Group (key, image) pairs into batches whose images share one shape: (keys, images), each item once.

    A batch is given out as soon as its shape has `batch_size` images and two more are waiting, so that no single image is left
    at the end: the last batch of a shape has 2 to batch_size + 1 images, and one image only where the shape has no other
    (or batch_size is 1). The order depends on `items` alone. At most batch_size + 1 images a shape are held in memory.
    """
    waiting: dict[tuple[int, ...], list[tuple[Any, np.ndarray]]] = {}
    for item in items:
        group = waiting.setdefault(item[1].shape, [])
        group.append(item)
        if len(group) == batch_size + 2:
            yield _as_batch(group[:batch_size])
            del group[:batch_size]
    for group in waiting.values():
        yield _as_batch(group)


def _as_batch(group: list[tuple[Any, np.ndarray]]) -> tuple[list[Any], list[np.ndarray]]:
    keys, images = zip(*group, strict=True)
    return list(keys), list(images)
