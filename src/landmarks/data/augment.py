"""Random crops, flips and colours of training images. The only module that imports albumentations."""

from __future__ import annotations

import math
import os
import random
import warnings

import numpy as np

from landmarks.data.crops import cut, draw_crop, scale_sides
from landmarks.data.images import resize, resize_to_cover
from landmarks.data.jpeg import reduction_for
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
        self.transform = _build(recipe)
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
        if whole.transform is not None:
            # One random stream for all transforms. set_random_seed would give each of them the same stream, so that their draws would be
            # correlated: whether an image is mirrored would determine its brightness.
            whole.transform.set_random_state(np.random.default_rng(self._seed), numbers)
            image = whole.transform(image=image)["image"]
        return np.ascontiguousarray(image if whole.crops else scale_sides(image, whole.crop_scale, numbers))


def _build(recipe: str):
    """What albumentations does of a recipe; None where that is nothing."""
    if recipe in ("none", "delg"):
        return None
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would check online for a newer version
    import albumentations
    import cv2

    published = recipe.startswith("yokoo")
    middle = recipe in ("middle", "yokoo_middle")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # albumentations warns of an unknown argument, and ignores it
        colour = albumentations.RandomBrightnessContrast(
            brightness_limit=0.1, contrast_limit=0.1 if middle else 0.0, p=0.5 if published else 1.0
        )
        steps = [colour] if published else [albumentations.HorizontalFlip(p=0.5), colour]
        if recipe == "middle":
            steps.append(albumentations.Affine(scale=(0.7, 1.3), shear=(-4, 4), border_mode=cv2.BORDER_REFLECT_101, p=0.5))
        if recipe == "yokoo_middle":
            steps.insert(0, albumentations.Affine(shear={"x": (-4, 4), "y": (0, 0)}, border_mode=cv2.BORDER_CONSTANT, p=0.5))
        return albumentations.Compose(steps)
