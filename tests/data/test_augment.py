import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import albumentations
import cv2
import numpy as np
import pytest
from PIL import Image

from landmarks.data.augment import Augmentation
from landmarks.data.crops import cut, draw_crop, scale_sides
from landmarks.data.images import read_image, read_reduced, resize
from landmarks.data.jpeg import reduction_for

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
FLAT = np.full((60, 80, 3), 128, np.uint8)
FLAT[:, :40] = 90  # dark on the left: shows whether it was mirrored
RECIPES = ["none", "soft", "middle", "yokoo_soft", "yokoo_middle", "delg"]
RANDOM = RECIPES[1:]


def others(id):
    return [Augmentation(recipe, (32, 48), 0.2, seed=1)(IMAGE, 2, id) for recipe in RECIPES]


def drawn(recipe, count=400, image=FLAT, crop_scale=0.2):
    augmentation = Augmentation(recipe, (32, 32), crop_scale, seed=0)
    return [augmentation(image, 0, str(n)).astype(float) for n in range(count)]


def mirrored(image):
    return image[8:-8, 8:12].mean() > image[8:-8, -12:-8].mean()


def test_the_same_in_another_process_and_order():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        elsewhere = pool.submit(others, "b").result()
    for recipe, there in zip(RECIPES, elsewhere, strict=True):
        augmentation = Augmentation(recipe, (32, 48), 0.2, seed=1)
        here = {id: augmentation(IMAGE, 2, id) for id in ("a", "b", "c")}
        assert here["a"].shape == (32, 48, 3) and here["a"].dtype == np.uint8 and here["a"].flags.c_contiguous
        np.testing.assert_array_equal(augmentation(IMAGE, 2, "a"), here["a"])
        np.testing.assert_array_equal(there, here["b"])


@pytest.mark.parametrize("recipe", RANDOM)
def test_epoch_id_occurrence_and_seed_each_make_a_difference(recipe):
    augmentation = Augmentation(recipe, (32, 32), 0.2, seed=1)
    images = [
        augmentation(IMAGE, 2, "a"),
        augmentation(IMAGE, 3, "a"),
        augmentation(IMAGE, 2, "b"),
        augmentation(IMAGE, 2, "a", 1),
        augmentation(IMAGE, 2, "a", 2),
        Augmentation(recipe, (32, 32), 0.2, seed=2)(IMAGE, 2, "a"),
    ]
    assert len({image.tobytes() for image in images}) == 6


def test_mirroring_and_brightness_are_independent():
    """Transforms with the same seed draw the same numbers: whether an image is mirrored would then determine its brightness."""
    images = drawn("soft")
    turned = np.array([mirrored(image) for image in images])
    brightness = np.array([image.max() for image in images])
    assert 0.4 < turned.mean() < 0.6
    assert abs(np.corrcoef(turned, brightness)[0, 1]) < 0.15


@pytest.mark.parametrize("recipe", ["yokoo_soft", "yokoo_middle", "delg"])
def test_published_recipes_mirror_nothing(recipe):
    assert not any(mirrored(image) for image in drawn(recipe))


@pytest.mark.parametrize("recipe, share", [("yokoo_soft", 0.5), ("delg", 1.0)])
def test_brightness_changes_in_half_of_the_images_or_in_none(recipe, share):
    even = np.full((60, 80, 3), 128, np.uint8)
    values = np.array([image[16, 16, 0] for image in drawn(recipe, image=even)])
    assert np.mean(values == 128) == pytest.approx(share, abs=0.06)
    assert np.abs(values - 128).max() <= 26 and (recipe == "delg" or np.abs(values - 128).max() > 15)


def test_yokoos_recipe_squashes_the_whole_picture():
    """With sides scaled by 1 +- 0: a circle of a wide photo becomes an ellipse, and both ends of the photo are seen."""
    wide = np.full((90, 160, 3), 128, np.uint8)
    wide[:, :8], wide[:, -8:] = 20, 240
    for image in drawn("yokoo_soft", 20, wide, crop_scale=0.0):
        assert image[16, 0, 0] < 60 and image[16, -1, 0] > 200


def test_yokoos_middle_recipe_shears_half_of_the_images():
    """4 degrees move the ends of a vertical line apart by 0.07 of the height; what comes in at the side is black."""
    even = np.full((128, 128, 3), 128, np.uint8)
    augmentation = Augmentation("yokoo_middle", (128, 128), 0.0, seed=0)
    dark = np.array([(augmentation(even, 0, str(n)) < 60).mean() for n in range(300)])
    assert 0.35 < np.mean(dark > 0) < 0.5 and 0.01 < dark.max() < 0.025  # below half a degree nothing is seen; 0.07 / 4 on each side


def test_the_smallest_part_still_fills_the_output():
    assert Augmentation("soft", (300, 300), 0.19, seed=0).min_side == 445  # 300 / (3/4 * 0.9) = 444.4
    assert Augmentation("none", (300, 300), 0.19, seed=0).min_side == 400
    assert Augmentation("yokoo_soft", (448, 448), 0.2, seed=0).min_side == 598  # 448 * 4/3 = 597.3
    assert Augmentation("yokoo_soft", (352, 512), 0.2, seed=0).min_side == 576  # 512 * 9/8


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_circle_in_a_photo_of_the_shape_s_ratio_stays_round(recipe):
    photo = np.zeros((360, 540, 3), np.uint8)
    cv2.circle(photo, (270, 180), 80, (255, 255, 255), -1)
    ratios = []
    for n in range(60):
        disc = Augmentation(recipe, (120, 180), 0.1, seed=0)(photo, 0, str(n))[..., 0] > 127
        ratios.append(disc.any(axis=0).sum() / disc.any(axis=1).sum())
    assert 0.95 < np.median(ratios) < 1.05
    assert recipe == "middle" or (0.7 < min(ratios) and max(ratios) < 1.4)  # it zooms out, and the border mirrors a second circle


def test_an_argument_albumentations_does_not_know_is_an_error(monkeypatch):
    original = albumentations.Affine
    monkeypatch.setattr(albumentations, "Affine", lambda **options: original(**options, always=True))
    with pytest.raises(UserWarning, match="always"):
        Augmentation("middle", (32, 32), 0.2, seed=0)


TWINS = {
    "soft": [albumentations.HorizontalFlip(p=0.5), albumentations.RandomBrightnessContrast(0.1, 0.0, p=1)],
    "middle": [
        albumentations.HorizontalFlip(p=0.5),
        albumentations.RandomBrightnessContrast(0.1, 0.1, p=1),
        albumentations.Affine(scale=(0.7, 1.3), shear=(-4, 4), border_mode=cv2.BORDER_REFLECT_101, p=0.5),
    ],
    "yokoo_soft": [albumentations.RandomBrightnessContrast(0.1, 0.0, p=0.5)],
    "yokoo_middle": [
        albumentations.Affine(shear={"x": (-4, 4), "y": (0, 0)}, border_mode=cv2.BORDER_CONSTANT, p=0.5),
        albumentations.RandomBrightnessContrast(0.1, 0.1, p=0.5),
    ],
}


@pytest.mark.parametrize("recipe", TWINS)
def test_mirroring_and_colours_are_drawn_and_computed_as_by_albumentations(recipe):
    augmentation, twin = Augmentation(recipe, (32, 48), 0.2, seed=0), albumentations.Compose(TWINS[recipe])
    for n in range(100):
        draw = augmentation.draw(0, str(n))
        numbers = random.Random(draw._seed)
        if augmentation.crops:
            part = cut(IMAGE, draw_crop(IMAGE.shape[:2], (32, 48), 0.8, numbers), IMAGE.shape[:2], (32, 48))
        else:
            part = resize(IMAGE, 32, 48)
        twin.set_random_state(np.random.default_rng(0), numbers)
        other = twin(image=part)["image"]
        np.testing.assert_array_equal(draw(IMAGE), other if augmentation.crops else scale_sides(other, 0.2, numbers))


def waves(height, width):
    y, x = np.mgrid[:height, :width] / max(height, width)
    return (128 + 80 * np.stack([np.sin(9 * x + 3 * y), np.cos(7 * y - 2 * x), np.sin(20 * x * y)], axis=2)).astype(np.uint8)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("recipe", "crop_scale", "most"), [("delg", 0.92, 8), ("soft", 0.2, 4), ("none", 0.2, 4), ("yokoo_soft", 0.2, 4)])
def test_a_picture_is_read_at_the_reduction_that_its_crop_needs(tmp_path, recipe, crop_scale, most, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(waves(300, 400)).save(tmp_path / "a.jpg", quality=95, exif=exif.tobytes())
    augmentation = Augmentation(recipe, (64, 64), crop_scale, seed=0)
    reductions, before = [], read_reduced(tmp_path / "a.jpg", augmentation.min_side)
    for n in range(40):
        draw = augmentation.draw(0, str(n))
        image, reduction = read_reduced(tmp_path / "a.jpg", draw.min_side)
        reductions.append(reduction)
        one, other = draw(image), augmentation(before[0], 0, str(n))
        if reduction == before[1]:
            np.testing.assert_array_equal(one, other)
        assert np.abs(one.astype(int) - other).mean() < 3, "the same crop, of the same colours"
    assert min(reductions) == before[1] and max(reductions) <= most
    assert recipe != "delg" or (before[1] == 1 and {1, 2, 4} <= set(reductions))


def test_a_crop_has_no_fewer_pixels_than_its_target():
    augmentation = Augmentation("delg", (64, 64), 0.92, seed=0)
    for n in range(200):
        height, width = 200 + 7 * n, 1600 - 6 * n
        draw = augmentation.draw(0, str(n))
        reduction = reduction_for((width, height), draw.min_side(height, width))
        usual = reduction_for((width, height), augmentation.min_side)
        crop = draw_crop((-(-height // usual), -(-width // usual)), (64, 64), 0.08, random.Random(draw._seed))
        assert reduction == usual or min(crop.tall, crop.wide) * usual >= 64 * reduction
        assert reduction == 8 or min(crop.tall, crop.wide) * usual < 2 * 64 * reduction


def test_pictures_that_are_no_jpegs_are_cropped_as_they_are(tmp_path):
    Image.fromarray(waves(300, 400)).save(tmp_path / "a.png")
    augmentation = Augmentation("delg", (64, 64), 0.92, seed=0)
    draw = augmentation.draw(0, "a")
    np.testing.assert_array_equal(draw(read_image(tmp_path / "a.png", draw.min_side)), augmentation(waves(300, 400), 0, "a"))
