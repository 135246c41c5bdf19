import platform

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.ops.area import shrink_by_area


def shares(side, shrunk):
    """(shrunk, side) float64: how much of each pixel belongs to each pixel of the shrunk side; rows sum to 1."""
    edges = np.arange(shrunk + 1) * side / shrunk
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0) * shrunk / side


def averages(image, height, width):
    return np.einsum("yh,hwc,xw->yxc", shares(image.shape[0], height), image.astype(float), shares(image.shape[1], width), optimize=True)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


SIDES = st.tuples(st.integers(1, 70), st.integers(1, 70)).map(sorted)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(0, 1000))
def test_it_is_the_average_of_the_area_and_what_opencv_gives(rows, columns, seed):
    (height, tall), (width, wide) = rows, columns
    image = picture(tall, wide, seed)
    found = shrink_by_area(image, height, width)
    assert found.shape == (height, width, 3) and found.dtype == np.uint8
    # A share of a pixel below a thousandth is left out: at most 2 x 255 / 1000 in each direction.
    assert np.abs(found - averages(image, height, width)).max() < 0.5 + 1.02
    difference = np.abs(found.astype(int) - cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    assert difference.max() <= (0 if platform.machine() == "x86_64" else 1)


@pytest.mark.parametrize(("tall", "wide", "height", "width"), [(570, 755, 512, 512), (301, 403, 96, 90), (97, 89, 96, 88), (50, 700, 7, 3)])
def test_usual_sizes_are_averages_to_the_nearest_number(tall, wide, height, width):
    image = picture(tall, wide)
    found = shrink_by_area(image, height, width)
    assert np.abs(found - averages(image, height, width)).max() < 0.5 + 0.3
    np.testing.assert_array_equal(found, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def test_crops_mirrored_and_turned_pictures_are_shrunk_as_their_copies():
    image = picture(90, 120)
    for view in (image[7:80, 11:101], image[:, ::-1], image.transpose(1, 0, 2), image[::2]):
        before = view.copy()
        np.testing.assert_array_equal(shrink_by_area(view, 31, 37), shrink_by_area(np.ascontiguousarray(view), 31, 37))
        np.testing.assert_array_equal(view, before)


def test_an_even_picture_stays_even_and_a_mirrored_one_is_shrunk_to_the_mirrored_one():
    assert (shrink_by_area(np.full((77, 53, 3), 201, np.uint8), 40, 30) == 201).all()
    image = picture(77, 53)
    ends = shrink_by_area(image, 40, 30)[:, ::-1].astype(int) - shrink_by_area(np.ascontiguousarray(image[:, ::-1]), 40, 30)
    assert np.abs(ends).max() <= 1  # rounded the other way
