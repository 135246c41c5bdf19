import numpy as np
import pytest

from landmarks.ops.colours import multiply_add


@pytest.mark.parametrize(("factor", "added"), [(1, 0), (1, 25.5), (1, -25.4), (0.9, 3.7), (1.1, -20.3), (0, 7.9), (-1, 255), (3, -600)])
def test_values_are_scaled_cut_off_and_kept_in_range(factor, added):
    values = np.arange(256, dtype=np.uint8)
    exact = np.float32(factor) * values.astype(np.float32) + np.float32(added)
    np.testing.assert_array_equal(multiply_add(values, factor, added), np.clip(exact, 0, 255).astype(np.uint8))


def test_pictures_of_any_layout_stay_as_they_are_but_for_their_values():
    image = np.random.default_rng(0).integers(0, 256, (7, 11, 3), dtype=np.uint8)
    before = image.copy()
    for view in (image, image[:, ::-1], image[2:5, 1:9], image.transpose(1, 0, 2), image[:0]):
        found = multiply_add(view, 1.05, -9.3)
        assert found.flags.c_contiguous and found.shape == view.shape
        np.testing.assert_array_equal(found, (np.clip(np.float32(1.05) * view - np.float32(9.3), 0, 255)).astype(np.uint8))
    np.testing.assert_array_equal(image, before)
