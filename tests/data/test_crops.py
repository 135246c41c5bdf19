import random

import numpy as np
import pytest

from landmarks.data.crops import Crop, cut, draw_crop, scale_sides


def positions(height, width):
    """A picture whose first two channels are the position of each pixel, from 0 to 255."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([255 * columns / (width - 1), 255 * rows / (height - 1), 0 * rows], axis=2).astype(np.uint8)


def random_crop(image, shape, kept, numbers):
    return cut(image, draw_crop(image.shape[:2], shape, kept, numbers), image.shape[:2], shape)


def box(crop):
    """left, top, right, bottom of the crop in its picture, as shares."""
    across, down = crop[..., 0].mean(axis=0) / 255, crop[..., 1].mean(axis=1) / 255
    return across[0], down[0], across[-1], down[-1]


@pytest.mark.parametrize("height, width", [(450, 800), (800, 450), (400, 600), (300, 400), (400, 400), (250, 1000)])
def test_crops_of_any_photo_differ_in_place_area_and_aspect_ratio(height, width):
    """RandomResizedCrop gave one and the same crop of every 16:9 photo."""
    photo = positions(height, width)
    boxes = np.array([box(random_crop(photo, (64, 64), 0.8, random.Random(seed))) for seed in range(100)])
    wide, tall = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    ratio = wide * width / (tall * height)
    largest = min(1, 4 / 3 * height / width, 4 / 3 * width / height)
    areas = wide * tall / largest
    assert len(np.unique(np.round(boxes, 2), axis=0)) > 80
    assert 0.7 < areas.min() < 0.87 and 0.9 < areas.max() < 1.03  # the box ends at the middles of pixels
    assert 0.7 < ratio.min() and ratio.max() < 1.4 and np.ptp(ratio) > 0.1
    longer = boxes[:, 0] if width > height else boxes[:, 1]
    if width != height:
        assert np.ptp(longer) > 0.9 * (1 - max(wide.max(), tall.max())) - 0.02 and longer.min() < 0.05


def test_areas_go_down_to_what_is_asked():
    photo = positions(600, 800)
    boxes = np.array([box(random_crop(photo, (64, 64), 0.08, random.Random(seed))) for seed in range(300)])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert 0.05 < areas.min() < 0.12 and areas.max() > 0.8


def test_the_aspect_ratio_is_that_of_the_target():
    photo = positions(450, 800)
    boxes = np.array([box(random_crop(photo, (72, 128), 0.8, random.Random(seed))) for seed in range(50)])
    ratio = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    assert 0.74 < ratio.min() < 0.95 and 1.05 < ratio.max() < 1.34
    assert random_crop(photo, (72, 128), 0.8, random.Random(0)).shape == (72, 128, 3)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 50), (3, 1000), (40, 7)])
@pytest.mark.parametrize("kept", [0.0, 0.08, 0.8, 1.0])
def test_odd_pictures_are_cropped(height, width, kept):
    for seed in range(20):
        assert random_crop(np.zeros((height, width, 3), np.uint8), (16, 24), kept, random.Random(seed)).shape == (16, 24, 3)


@pytest.mark.parametrize("resolution", [1, 0.5, 0.25, 0.333])
def test_the_same_part_is_cut_out_of_a_smaller_picture(resolution):
    size = (480, 640)
    smaller = positions(round(480 * resolution), round(640 * resolution))
    for seed in range(30):
        crop = draw_crop(size, (64, 64), 0.3, random.Random(seed))
        found = np.array(box(cut(smaller, crop, size, (64, 64))))
        assert np.abs(found - box(cut(positions(*size), crop, size, (64, 64)))).max() < 0.02
    assert cut(positions(2, 2), Crop(470, 630, 10, 10), size, (8, 8)).shape == (8, 8, 3)


def test_sides_are_scaled_each_by_its_own_factor():
    """Where a side is zoomed out its ends are black, 1/6 of it at most; otherwise a part of it fills the picture."""
    photo = positions(240, 240) // 2 + 100  # no black pixel
    across, down = [], []
    for seed in range(200):
        result = scale_sides(photo, 0.2, random.Random(seed))
        assert result.shape == photo.shape
        inside = result[..., 0] > 60
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        middle = result[rows[len(rows) // 2], columns].astype(float)[:, 0]
        shown = (middle[-1] - middle[0]) / 127  # share of the width that is seen
        across.append(240 / len(columns) if len(columns) < 239 else shown)
        down.append(len(rows) / 240)
        assert inside[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]].all()
    assert min(across) == pytest.approx(0.8, abs=0.03) and max(across) == pytest.approx(1.2, abs=0.03)
    assert 0.4 < np.mean(np.array(down) < 0.995) < 0.6 and min(down) == pytest.approx(1 / 1.2, abs=0.02)
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.2


def test_no_scaling_leaves_the_picture():
    photo = positions(20, 30)
    np.testing.assert_array_equal(scale_sides(photo, 0.0, random.Random(0)), photo)
