import cv2
import numpy as np
import pytest

from landmarks.data.buckets import bucket_shape, fit_to_bucket
from landmarks.ops.sides import Sides


@pytest.mark.parametrize(
    "height, width, longest_side, expected",
    [
        (600, 800, 800, (608, 800)),  # 600 = 18.75 x 32
        (800, 600, 800, (800, 608)),
        (500, 500, 512, (512, 512)),
        (533, 800, 224, (160, 224)),  # 149.24 = 4.66 x 32
        (100, 1000, 224, (32, 224)),  # 22.4
        (10, 1000, 224, (32, 224)),  # at least 32
        (500, 500, 120, (120, 120)),  # never above the longest side
        (1, 1, 32, (32, 32)),
    ],
)
def test_shapes(height, width, longest_side, expected):
    assert bucket_shape(height, width, longest_side) == expected


@pytest.mark.parametrize(
    "height, width, longest_side, sides, expected",
    [
        (600, 800, 1000, Sides(32, 32), (736, 992)),  # 1000 = 31.25 x 32; 744 = 23.25 x 32
        (600, 800, 800, Sides(14, 14), (588, 798)),  # 57 x 14; 598.5 = 21.4 x 28
        (600, 800, 800, Sides(16, 16), (608, 800)),
        (10, 1000, 224, Sides(14, 56), (56, 224)),
        (600, 800, 100, Sides(64, 128), (128, 128)),
    ],
)
def test_shapes_for_models_that_take_multiples_only(height, width, longest_side, sides, expected):
    assert bucket_shape(height, width, longest_side, sides) == expected


@pytest.mark.parametrize("longest_side", [100, 224, 500, 800])
def test_the_cut_is_bounded(longest_side):
    sizes = np.random.default_rng(0).integers(1, 3000, (2000, 2)).tolist()
    for height, width in sizes:
        shape = bucket_shape(height, width, longest_side)
        side, exact = min(shape), longest_side * min(height, width) / max(height, width)
        assert max(shape) == longest_side and (side % 32 == 0 or side == longest_side)
        assert shape == bucket_shape(width, height, longest_side)[::-1]
        if side <= exact:
            assert exact - side <= 16  # cut from the shorter side
        elif exact >= 16:
            assert 1 - exact / side <= 16 / (exact + 16)  # cut from the longer one, the picture being scaled by side / exact


@pytest.mark.parametrize("height, width", [(300, 470), (470, 300), (700, 1130), (90, 140)])
def test_a_circle_stays_a_circle(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, (width // 2, height // 2), min(height, width) // 3, (255, 255, 255), -1, cv2.LINE_AA)
    disc = fit_to_bucket(image, 320)[..., 0] > 127
    across, down = disc.any(axis=0).sum(), disc.any(axis=1).sum()
    assert abs(int(across) - int(down)) <= 2 and disc.sum() == pytest.approx(np.pi / 4 * across * down, rel=0.02)
