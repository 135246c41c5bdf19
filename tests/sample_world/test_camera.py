import numpy as np
import pytest

from sample_world.camera import look_at


def test_the_target_is_in_the_middle_and_right_and_up_are_right_and_up():
    camera = look_at(np.array([0.0, -10.0, 2.0]), np.array([0.0, 0.0, 2.0]), roll=0.0, focal=1.0, size=(200, 100))
    pixels, depth = camera.project(np.array([[0.0, 0, 2], [1, 0, 2], [0, 0, 3], [0, 10, 2]]))
    np.testing.assert_allclose(pixels, [[100, 50], [120, 50], [100, 30], [100, 50]], atol=1e-9)  # 200 pixels at 10 m: 20 a metre
    np.testing.assert_allclose(depth, [10, 10, 10, 20])


def test_shift_moves_the_target_and_roll_turns_the_image():
    position, target = np.array([0.0, -10.0, 2.0]), np.array([0.0, 0.0, 2.0])
    shifted = look_at(position, target, 0.0, 1.0, (200, 100), shift=(0.1, -0.2))
    np.testing.assert_allclose(shifted.project(target[None])[0], [[120, 30]], atol=1e-9)
    rolled = look_at(position, target, np.pi / 2, 1.0, (200, 100))
    above = rolled.project(np.array([[0.0, 0, 3]]))[0][0] - rolled.project(target[None])[0][0]
    assert np.linalg.norm(above) == pytest.approx(20) and above[1] == pytest.approx(0, abs=1e-9)
    assert np.linalg.det(rolled.axes) == pytest.approx(1)
