import numpy as np
import pytest

from landmarks.data.weights import image_weights

LABELS = np.array([0, 0, 0, 0, 1, 2, 2])


def test_none_where_all_are_1():
    clean = np.ones(7, bool)
    assert image_weights(LABELS, 0.0, None, 0.5) is None
    assert image_weights(LABELS, 0.0, clean, 0.5) is None and image_weights(LABELS, 0.0, ~clean, 1.0) is None


def test_images_of_rare_landmarks_count_more():
    """c^-1/2: 1/2 four times, 1, and 1/sqrt(2) twice; the sum is 3 + sqrt(2)."""
    weights = image_weights(LABELS, 0.5, None, 0.5)
    expected = np.array([0.5] * 4 + [1] + [0.5**0.5] * 2) * 7 / (3 + 2**0.5)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32 and weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(np.bincount(LABELS, image_weights(LABELS, 1.0, None, 1.0)), [7 / 3] * 3, rtol=1e-6)  # all landmarks alike


def test_images_that_are_not_clean_count_less():
    clean = np.array([True, True, False, True, False, True, True])
    assert image_weights(LABELS, 0.0, clean, 0.25).tolist() == [1, 1, 0.25, 1, 0.25, 1, 1]
    assert image_weights(LABELS, 0.0, clean, 0.0).tolist() == [1, 1, 0, 1, 0, 1, 1]
    np.testing.assert_allclose(
        image_weights(LABELS, 0.5, clean, 0.25), image_weights(LABELS, 0.5, None, 1.0) * np.where(clean, 1, 0.25), rtol=1e-6
    )
