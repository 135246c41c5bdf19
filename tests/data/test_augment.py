from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from landmarks.data.augment import Augmentation

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
FLAT = np.full((60, 80, 3), 128, np.uint8)
FLAT[:, :40] = 90  # dark on the left: shows whether it was mirrored


def one(recipe, id):
    return Augmentation(recipe, 32, 0.2, seed=1)(IMAGE, 2, id)


@pytest.mark.parametrize("recipe", ["none", "soft", "middle"])
def test_the_same_in_another_process_and_order(recipe):
    augmentation = Augmentation(recipe, 32, 0.2, seed=1)
    here = {id: augmentation(IMAGE, 2, id) for id in ("a", "b", "c")}
    assert here["a"].shape == (32, 32, 3) and here["a"].dtype == np.uint8
    np.testing.assert_array_equal(augmentation(IMAGE, 2, "a"), here["a"])
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(one, recipe, "b").result(), here["b"])


@pytest.mark.parametrize("recipe", ["soft", "middle"])
def test_epoch_id_and_seed_each_make_a_difference(recipe):
    augmentation = Augmentation(recipe, 32, 0.2, seed=1)
    images = [
        augmentation(IMAGE, 2, "a"),
        augmentation(IMAGE, 3, "a"),
        augmentation(IMAGE, 2, "b"),
        Augmentation(recipe, 32, 0.2, seed=2)(IMAGE, 2, "a"),
    ]
    assert len({image.tobytes() for image in images}) == 4


def test_mirroring_and_brightness_are_independent():
    """Transforms with the same seed draw the same numbers: whether an image is mirrored would then determine its brightness."""
    augmentation = Augmentation("soft", 32, 0.2, seed=0)
    images = [augmentation(FLAT, 0, str(n)).astype(float) for n in range(400)]
    mirrored = np.array([image[:, 0].mean() > image[:, -1].mean() for image in images])
    brightness = np.array([image.max() for image in images])
    assert 0.4 < mirrored.mean() < 0.6
    assert abs(np.corrcoef(mirrored, brightness)[0, 1]) < 0.15


def test_the_smallest_crop_still_fills_the_output():
    assert Augmentation("soft", 300, 0.19, seed=0).min_side == 445  # 300 / (3/4 * 0.9) = 444.4
    assert Augmentation("none", 300, 0.19, seed=0).min_side == 400


def test_an_argument_albumentations_does_not_know_is_an_error(monkeypatch):
    import albumentations

    original = albumentations.HorizontalFlip
    monkeypatch.setattr(albumentations, "HorizontalFlip", lambda **options: original(**options, always=True))
    with pytest.raises(UserWarning, match="always"):
        Augmentation("soft", 32, 0.2, seed=0)
