import numpy as np
import pytest

from sample_world.camera import NEAR, look_at
from sample_world.model import pack
from sample_world.paint import Canvas, clip_near, paint_model
from sample_world.solids import panel

CAMERA = look_at(np.array([0.0, -10.0, 0.0]), np.array([0.0, 0.0, 0.0]), 0.0, 1.0, (100, 100))
SKINS = {"red": np.full((16, 16, 3), (255, 0, 0), np.uint8), "blue": np.full((16, 16, 3), (0, 0, 255), np.uint8)}


def paint(*faces):
    model, canvas = pack(list(faces), SKINS), Canvas((100, 100))
    paint_model(canvas, CAMERA, model, np.repeat(np.eye(3, 4)[None], len(faces), axis=0))
    return canvas


def wall(y, half, skin):
    """Upright, facing the camera, centred on its axis."""
    return panel((-half, y), (half, y), -half, half, skin)


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_face_hides_the_farther_in_any_order(order):
    canvas = paint(*[wall(0, 2, "red"), wall(5, 6, "blue")][::order])
    assert canvas.colour[50, 50].tolist() == [255, 0, 0] and canvas.nearness[50, 50] == pytest.approx(1 / 10, rel=1e-4)
    assert canvas.colour[50, 75].tolist() == [0, 0, 255] and canvas.nearness[50, 75] == pytest.approx(1 / 15, rel=1e-4)
    assert not canvas.colour[2, 2].any() and canvas.nearness[2, 2] == 0


def test_a_face_seen_from_behind_is_not_painted():
    assert not paint(panel((2, 0), (-2, 0), -2, 2, "red")).colour.any()


def test_a_face_that_passes_the_camera_is_clipped():
    canvas = paint(panel((3, -20), (3, 20), -2, 2, "red"), panel((3, 20), (3, -20), -2, 2, "red"))
    assert canvas.colour[50, 95].tolist() == [255, 0, 0] and not canvas.colour[50, 5].any()


def test_clipping_keeps_what_is_far_enough():
    outline = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    depth = np.array([2.0, 0.0, -1.0])  # 2 u - 1
    clipped = clip_near(outline, depth)
    assert clipped[:, 0].min() == pytest.approx((1 + NEAR) / 2) and clipped[:, 0].max() == 1 and len(clipped) == 4
    assert clip_near(outline, np.array([0.0, 0.0, 1.0])) is outline
    assert clip_near(outline, np.array([0.0, 0.0, -1.0])).shape == (0, 2)
