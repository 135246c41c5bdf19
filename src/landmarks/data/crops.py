"""Random parts of a picture as it is trained on: a crop of some aspect ratio, or all of it, squashed and scaled side by side."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import numpy as np

from landmarks.data.images import resize

_ASPECT = (3 / 4, 4 / 3)  # of a crop, width / height, times that of its target (DELG, training)
_ATTEMPTS = 100  # as in DELG's code


class Crop(NamedTuple):
    """In pixels of the picture that it was drawn for."""

    top: int
    left: int
    tall: int
    wide: int


def draw_crop(size: tuple[int, int], shape: tuple[int, int], kept: float, numbers: random.Random) -> Crop:
    """A crop of random area, aspect ratio and place of a picture of this size (height, width), for the target `shape` (height, width).

    The area is uniform from `kept` to 1, of the largest crop that the aspect ratios allow: of a 4:3 photo that is all of it, of a
    16:9 photo for a square target three quarters. (RandomResizedCrop measures by the whole photo. With kept = 0.8 no crop of a 16:9
    photo is large enough for it, and it takes the same middle of it every time.)
    """
    height, width = size
    low, high = (limit * shape[1] / shape[0] for limit in _ASPECT)
    ratio = width / height
    reachable = min(1.0, high / ratio, ratio / low)
    for _ in range(_ATTEMPTS):
        area = numbers.uniform(kept, 1.0) * reachable * width * height
        aspect = math.exp(numbers.uniform(math.log(low), math.log(high)))
        wide, tall = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < tall <= height:
            break
    else:  # kept near 1: the largest crop
        wide, tall = min(width, max(1, int(height * high))), min(height, max(1, int(width / low)))
    return Crop(numbers.randint(0, height - tall), numbers.randint(0, width - wide), tall, wide)


def cut(image: np.ndarray, crop: Crop, size: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """The crop, drawn for a picture of `size`, of that picture in any resolution: (h, w, 3) uint8 -> (*shape, 3)."""
    top, bottom = _scaled(crop.top, crop.tall, image.shape[0], size[0])
    left, right = _scaled(crop.left, crop.wide, image.shape[1], size[1])
    return resize(image[top:bottom, left:right], *shape)


def _scaled(start: int, length: int, side: int, drawn: int) -> tuple[int, int]:
    """First pixel and the one behind the last, of `length` pixels from `start` on, where a side of `drawn` pixels has `side`."""
    first = min(side - 1, round(start * side / drawn))
    return first, max(first + 1, round((start + length) * side / drawn))


def scale_sides(image: np.ndarray, limit: float, numbers: random.Random) -> np.ndarray:
    """Each side scaled by its own factor and brought back to its length: (h, w, 3) uint8 -> the same shape.

    A factor below 1 takes a random part of that side; one above 1 adds black on both ends of it, at random (Yokoo et al., in whose code
    this is RandomCropThenScaleToOriginalSize).

    limit  the factors are uniform from 1 - limit to 1 + limit
    """
    height, width = image.shape[:2]
    tall, wide = (max(1, int(side * (1 + numbers.uniform(-limit, limit)))) for side in (height, width))
    top, left = _start(height, tall, numbers), _start(width, wide, numbers)
    part = image[max(0, top) : max(0, top) + tall, max(0, left) : max(0, left) + wide]
    if part.shape[:2] != (tall, wide):
        framed = np.zeros((tall, wide, 3), np.uint8)
        y, x = max(0, -top), max(0, -left)
        framed[y : y + part.shape[0], x : x + part.shape[1]] = part
        part = framed
    return resize(part, height, width)


def _start(side: int, taken: int, numbers: random.Random) -> int:
    """Where the part begins; negative where it is longer than the side."""
    return numbers.randint(0, side - taken) if taken <= side else -numbers.randint(0, taken - side)
