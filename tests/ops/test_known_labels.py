import numpy as np
import pytest

from landmarks.ops.known_labels import combine, on_scale, own_share, side_by_side, without_label
from landmarks.ops.label_spread import LabelDistributions


def distributions(seed=0, rows=20, kept=4, classes=9):
    """Rows of random length, largest shares first, that sum to less than 1."""
    random = np.random.default_rng(seed)
    labels = np.argsort(random.random((rows, classes)), axis=1)[:, :kept].astype(np.int32)
    shares = -np.sort(-random.random((rows, kept)), axis=1).astype(np.float32) / kept
    missing = np.arange(kept) >= random.integers(0, kept + 1, rows)[:, None]
    return LabelDistributions(np.where(missing, -1, labels), np.where(missing, 0, shares).astype(np.float32))


def dense(made, classes):
    result = np.zeros((len(made.labels), classes))
    for row, (labels, shares) in enumerate(zip(*made, strict=True)):
        for label, share in zip(labels, shares, strict=True):
            if label >= 0:
                result[row, label] += share
    return result


def test_own_share_is_the_mean_share_of_the_own_label():
    made, labels = distributions(), np.random.default_rng(1).integers(0, 9, 20)
    assert own_share(made, labels) == pytest.approx(dense(made, 9)[np.arange(20), labels].mean())
    assert own_share(distributions(rows=0), labels[:0]) == 0


def test_on_scale_divides_and_cuts_sums_at_one():
    made = distributions()
    expected = dense(made, 9) / 0.3
    expected /= np.maximum(expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(dense(on_scale(made, 0.3), 9), expected, rtol=1e-5)
    assert on_scale(made, 0.3).shares.sum(axis=1).max() == pytest.approx(1)
    np.testing.assert_array_equal(on_scale(made, 0).shares, made.shares)  # training images that are alone in their landmarks


def test_a_label_is_taken_away_and_the_others_stay():
    made, labels = distributions(), np.random.default_rng(1).integers(0, 9, 20)
    expected = dense(made, 9)
    expected[np.arange(20), labels] = 0
    np.testing.assert_array_equal(dense(without_label(made, labels), 9), expected)


def test_combine_is_the_geometric_mean_of_both_over_the_labels_that_were_spread():
    spread, classifier = distributions(), distributions(seed=5, kept=3)
    labels, probabilities = np.where(classifier.labels < 0, 8, classifier.labels), classifier.shares
    made = combine(spread, labels, probabilities, 0.02)
    shares, opinion = dense(spread, 9), np.full((20, 9), 0.02)
    for row in range(20):
        for label, probability in zip(labels[row], probabilities[row], strict=True):
            opinion[row, label] += probability
    expected = np.sqrt(shares * opinion)
    expected /= np.where(expected.any(axis=1, keepdims=True), expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(dense(made, 9), expected, atol=1e-6)
    assert (spread.labels < 0).all(axis=1).any() and np.array_equal(made.labels, spread.labels)


def test_side_by_side_keeps_both_with_the_largest_share_first():
    first, second = distributions(), distributions(seed=2, kept=3)
    made = side_by_side(first, second, 9)
    np.testing.assert_allclose(dense(made, 18), np.concatenate([dense(first, 9), dense(second, 9)], axis=1))
    there = made.labels >= 0
    assert (np.diff(there.astype(int), axis=1) <= 0).all(), "what is missing stands last"
    assert (np.diff(np.where(there, made.shares, -1), axis=1) <= 0).all()
