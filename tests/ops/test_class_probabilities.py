import numpy as np
import pytest

from landmarks.ops import class_probabilities as module
from landmarks.ops.class_probabilities import class_centres, class_probabilities


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("numbers", [1, 11, 1 << 25])
def test_probabilities_are_the_softmax_of_the_scaled_cosines_to_the_centres(monkeypatch, numbers):
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    rng = np.random.default_rng(0)
    train, labels, rows = unit(rng.standard_normal((30, 6))), rng.permutation(np.arange(30) % 5), unit(rng.standard_normal((9, 6)))
    centres = class_centres(train, labels, 5)
    found, probabilities = class_probabilities(rows, centres, 7.0, 3)
    assert found.dtype == np.int32 and probabilities.dtype == np.float32 and found.shape == probabilities.shape == (9, 3)
    for row, own_labels, own in zip(rows.astype(float), found, probabilities, strict=True):
        means = [train[labels == label].astype(float).mean(axis=0) for label in range(5)]
        powers = np.array([np.exp(7 * (row @ mean) / np.linalg.norm(mean)) for mean in means])
        expected = powers / powers.sum()
        assert own_labels.tolist() == np.argsort(-expected)[:3].tolist()
        np.testing.assert_allclose(own, np.sort(expected)[::-1][:3], rtol=1e-5)


def test_equal_classes_come_by_number_and_no_more_are_kept_than_there_are():
    labels, probabilities = class_probabilities(np.array([[1, 0]], np.float32), np.array([[0, 1]] * 3, np.float32), 16.0, 9)
    assert labels.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(probabilities, 1 / 3, rtol=1e-6)


def test_a_class_without_rows_has_no_direction_and_far_rows_do_not_overflow():
    centres = class_centres(np.eye(2, dtype=np.float32), np.array([0, 2]), 3)
    np.testing.assert_array_equal(centres, [[1, 0], [0, 0], [0, 1]])
    labels, probabilities = class_probabilities(np.array([[1, 0]], np.float32), centres, 1e4, 2)
    assert labels[0, 0] == 0 and probabilities[0, 0] == 1 and np.isfinite(probabilities).all()
