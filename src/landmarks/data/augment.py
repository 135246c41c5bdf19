"""Random crops, flips and colours of training images. The only module that imports albumentations."""

from __future__ import annotations

import math
import os
import random
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np

from landmarks.data.crops import cut, draw_crop, scale_sides
from landmarks.data.images import resize, resize_to_cover
from landmarks.data.jpeg import reduction_for
from landmarks.ops.colours import multiply_add
from landmarks.seeds import seed_of


class Augmentation:
    """(height, width, 3) uint8 RGB -> (*shape, 3) uint8, the same for the same (seed, epoch, id, repeat) in any process and order.

    recipe  none: the middle of the image, nothing random
            soft: a random crop (data/crops.py), mirrored half of the time, brightness +-0.1
            middle: soft, and contrast +-0.1; half of the time shear +-4 degrees and zoom +-0.3
            yokoo_soft: the whole image squashed to the shape, brightness +-0.1 half of the time, then each side scaled by
            1 +- crop_scale, with black where it zooms out; never mirrored
            yokoo_middle: yokoo_soft with contrast +-0.1 beside the brightness, and shear +-4 degrees half of the time
            delg: a random crop alone
            The last three are as in the authors' published code (Yokoo et al.; Cao et al.), soft and middle are this project's own
    crop_scale  of the area of a random crop at least 1 - this is kept; for yokoo_* the limit of scaling
    min_side    pixels the longest side of the image should have, so that its smallest part still fills the shape
    """

    def __init__(self, recipe: str, shape: tuple[int, int], crop_scale: float, seed: int):
        self.recipe, self.shape, self.crop_scale, self.seed = recipe, shape, crop_scale, seed
        self.steps = _steps(recipe)
        self.crops = recipe != "none" and not recipe.startswith("yokoo")
        if recipe.startswith("yokoo"):
            # Squashed from about its own aspect ratio; a photo of 4:3 where the shape is a square.
            self.min_side = math.ceil(max(shape) * (4 / 3 if shape[0] == shape[1] else 9 / 8))
        else:
            # The widest crop of a 4:3 photo for a square has this share of the longest side as its height.
            share = 3 / 4 if recipe == "none" else 3 / 4 * math.sqrt(1 - crop_scale)
            self.min_side = math.ceil(max(shape) / share)

    def __call__(self, image: np.ndarray, epoch: int, id: str, repeat: int = 0) -> np.ndarray:
        return self.draw(epoch, id, repeat)(image)

    def draw(self, epoch: int, id: str, repeat: int = 0) -> Draw:
        return Draw(self, seed_of(self.seed, "augment", epoch, id, *([repeat] if repeat else [])))


class Draw:
    """What is drawn for one picture: a function of it, and before it is read, of its size alone."""

    def __init__(self, augmentation: Augmentation, seed: int):
        self._augmentation, self._seed = augmentation, seed
        self._size: tuple[int, int] | None = None

    def min_side(self, height: int, width: int) -> int:
        """Pixels that the longest side of a picture of this size must have for what is drawn, as `read_image` takes it.

        A crop that is larger than the smallest needs fewer of them. It is drawn as if the picture had been decoded for the smallest, so
        that it is the same one.
        """
        whole = self._augmentation
        if not whole.crops:
            return whole.min_side
        reduction, further = reduction_for((width, height), whole.min_side), 1
        self._size = -(-height // reduction), -(-width // reduction)
        crop = draw_crop(self._size, whole.shape, 1 - whole.crop_scale, random.Random(self._seed))
        while reduction * further < 8 and min(crop.tall // whole.shape[0], crop.wide // whole.shape[1]) >= 2 * further:
            further *= 2
        return whole.min_side if further == 1 else max(height, width) // (reduction * further)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        whole = self._augmentation
        if whole.recipe == "none":
            return resize_to_cover(image, *whole.shape)
        numbers = random.Random(self._seed)
        if whole.crops:
            size = self._size or (image.shape[0], image.shape[1])
            image = cut(image, draw_crop(size, whole.shape, 1 - whole.crop_scale, numbers), size, whole.shape)
        else:
            image = resize(image, *whole.shape)
        if whole.steps:
            numbers.random()  # unused: the draws are those of earlier versions, where albumentations' Compose took this one
        for step in whole.steps:
            image = step(image, numbers)
        return np.ascontiguousarray(image if whole.crops else scale_sides(image, whole.crop_scale, numbers))


def _steps(recipe: str) -> list[Callable[[np.ndarray, random.Random], np.ndarray]]:
    """What is done with a crop, in this order."""
    if recipe in ("none", "delg"):
        return []
    published, middle = recipe.startswith("yokoo"), recipe in ("middle", "yokoo_middle")
    colours = partial(_change_colours, brightness=0.1, contrast=0.1 if middle else 0.0, share=0.5 if published else 1.0)
    if published:
        return [_affine("CONSTANT", shear={"x": (-4, 4), "y": (0, 0)}), colours] if middle else [colours]
    return [_mirror, colours, _affine("REFLECT_101", scale=(0.7, 1.3), shear=(-4, 4))] if middle else [_mirror, colours]


def _mirror(image: np.ndarray, numbers: random.Random) -> np.ndarray:
    return cv2.flip(image, 1) if numbers.random() < 0.5 else image


def _change_colours(image: np.ndarray, numbers: random.Random, *, brightness: float, contrast: float, share: float) -> np.ndarray:
    """Drawn and computed as by albumentations' RandomBrightnessContrast, of which a call costs more than its pixels."""
    if share < 1 and numbers.random() >= share:
        return image
    factor = 1.0 + numbers.uniform(-contrast, contrast)
    return multiply_add(image, factor, 255.0 * numbers.uniform(-brightness, brightness))


def _affine(border: str, **options: Any) -> Callable[[np.ndarray, random.Random], np.ndarray]:
    """Half of the time, by albumentations."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would check online for a newer version
    import albumentations

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # albumentations warns of an unknown argument, and ignores it
        return partial(_transform, albumentations.Affine(border_mode=getattr(cv2, f"BORDER_{border}"), p=0.5, **options))


def _transform(transform: Any, image: np.ndarray, numbers: random.Random) -> np.ndarray:
    # One random stream for all steps. set_random_seed would give each of them the same stream, so that their draws would be
    # correlated: whether an image is mirrored would determine its brightness.
    transform.set_random_state(transform.random_generator, numbers)
    return transform(image=image)["image"]
