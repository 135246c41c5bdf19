import numpy as np
import pytest

from landmarks.models.margins import margins_by_frequency


def test_the_published_margins():
    """n = 1, 16, 81, 10,000: n^(-1/4) = 1, 1/2, 1/3, 1/10."""
    margins = margins_by_frequency(np.array([16, 10_000, 1, 81]), 0.05, 0.5)
    expected = [0.05 + 0.45 * (share - 1 / 10) / (9 / 10) for share in (1 / 2, 1 / 10, 1, 1 / 3)]
    np.testing.assert_allclose(margins, expected, rtol=1e-12)
    assert margins.dtype == np.float64 and margins[2] == 0.5 and margins[1] == 0.05


def test_classes_of_one_size_have_one_margin():
    np.testing.assert_array_equal(margins_by_frequency(np.array([7, 7]), 0.2, 0.5), [0.2, 0.2])


def test_a_class_without_images_is_an_error():
    with pytest.raises(ValueError, match="needs an image"):
        margins_by_frequency(np.array([3, 0]), 0.1, 0.5)
