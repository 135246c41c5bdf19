"""Random crops, flips and colours of training images. The only module that imports albumentations."""

from __future__ import annotations

import math
import os
import random
import warnings

import numpy as np

from landmarks.data.images import resize_to_cover
from landmarks.seeds import seed_of

_ASPECT = (3 / 4, 4 / 3)  # of the crop, width / height (DELG, training)


class Augmentation:
    """(height, width, 3) uint8 RGB -> (size, size, 3) uint8, the same for the same (seed, epoch, id) in any process and order.

    recipe    none: the middle of the image, nothing random
              soft: a crop of at least 1 - crop_scale of the area, mirrored half of the time, brightness +-0.1
              middle: soft, and contrast +-0.1, shear +-4 degrees and zoom +-0.3
              (Yokoo et al., section 2; they give no probabilities: brightness and contrast always, shear and zoom half of the time)
    min_side  pixels the longest side of the image should have, so that the smallest crop still fills `size`
    """

    def __init__(self, recipe: str, size: int, crop_scale: float, seed: int):
        self.size, self.seed = size, seed
        self._transform = None if recipe == "none" else _build(recipe, size, crop_scale)
        # The widest crop of area 1 - crop_scale of a 4:3 photo has this share of the longest side as its height.
        share = 3 / 4 if recipe == "none" else 3 / 4 * math.sqrt(1 - crop_scale)
        self.min_side = math.ceil(size / share)

    def __call__(self, image: np.ndarray, epoch: int, id: str) -> np.ndarray:
        if self._transform is None:
            return resize_to_cover(image, self.size, self.size)
        seed = seed_of(self.seed, "augment", epoch, id)
        # One random stream for all transforms. set_random_seed would give each of them the same stream, so that their draws would be
        # correlated: whether an image is mirrored would determine its brightness.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return self._transform(image=image)["image"]


def _build(recipe: str, size: int, crop_scale: float):
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would check online for a newer version
    import albumentations
    import cv2

    contrast = 0.1 if recipe == "middle" else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # albumentations warns of an unknown argument, and ignores it
        steps = [
            albumentations.RandomResizedCrop((size, size), scale=(1 - crop_scale, 1.0), ratio=_ASPECT, area_for_downscale="image"),
            albumentations.HorizontalFlip(p=0.5),
            albumentations.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=contrast, p=1.0),
        ]
        if recipe == "middle":
            steps.append(albumentations.Affine(scale=(0.7, 1.3), shear=(-4, 4), border_mode=cv2.BORDER_REFLECT_101, p=0.5))
        return albumentations.Compose(steps)
