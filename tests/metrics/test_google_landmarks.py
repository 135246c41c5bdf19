from fractions import Fraction

import numpy as np
import pytest

from landmarks.metrics.google_landmarks import average_precision, first_positions, precision_at


def as_truth(rows):
    return np.array([image for row in rows for image in row], np.int32), np.concatenate([[0], np.cumsum([len(r) for r in rows])])


def as_predictions(rows, width=None):
    width = width or max(map(len, rows), default=0)
    return np.array([row + [-1] * (width - len(row)) for row in rows], np.int32).reshape(len(rows), width)


def average_precision_by_hand(predicted, truth, at):
    found, seen, total = 0, set(), Fraction(0)
    for place, image in enumerate(predicted[:at], start=1):
        if image in truth and image not in seen:
            seen.add(image)
            found += 1
            total += Fraction(found, place)
    return total / min(len(truth), at)


# Solution 01:[10,20] 02:[10] 03:[30,40,50] 04:[30]; prediction 02:[00,10] 03:[40] 04:[30,40], and none for 01.
TRUTH = as_truth([[10, 20], [10], [30, 40, 50], [30]])
PREDICTED = as_predictions([[], [0, 10], [40], [30, 40]])


def test_the_challenge_s_own_example():
    # 01: 0. 02: (1/2) / 1. 03: 1 / 3. 04: 1 / 1.
    np.testing.assert_allclose(average_precision(PREDICTED, *TRUTH), [0, 1 / 2, 1 / 3, 1])
    assert average_precision(PREDICTED, *TRUTH).mean() == pytest.approx(0.458333, abs=1e-6)
    assert average_precision(PREDICTED, *TRUTH, at=1).mean() == pytest.approx(0.5)
    assert precision_at(PREDICTED, *TRUTH, at=1).mean() == 0.5
    assert precision_at(PREDICTED, *TRUTH, at=2).mean() == 0.375
    assert np.median(first_positions(PREDICTED, *TRUTH)) == 1.5


def test_the_divisor_is_the_smaller_of_truth_and_cut():
    assert average_precision(as_predictions([[1, 2]]), *as_truth([list(range(300))]), at=2).tolist() == [1.0]
    assert average_precision(as_predictions([[1, 2]]), *as_truth([[1, 2, 3, 4]]), at=100).tolist() == [0.5]


def test_a_repeated_image_earns_nothing_but_uses_up_its_rank():
    # 1 at rank 1; its repeat at rank 2 earns nothing; 2 at rank 3: (1 + 2/3) / 2.
    assert average_precision(as_predictions([[1, 1, 2]]), *as_truth([[1, 2]]))[0] == pytest.approx(5 / 6)


@pytest.mark.parametrize("at", [1, 5, 100])
def test_random_rankings_equal_the_definition_in_fractions(at):
    rng = np.random.default_rng(at)
    truth = [rng.permutation(30)[: rng.integers(1, 25)].tolist() for _ in range(200)]
    predicted = [rng.integers(0, 30, rng.integers(0, 20)).tolist() for _ in range(200)]  # with repeats
    expected = [float(average_precision_by_hand(p, set(t), at)) for p, t in zip(predicted, truth, strict=True)]
    np.testing.assert_allclose(average_precision(as_predictions(predicted), *as_truth(truth), at=at), expected, rtol=1e-12)


def test_no_truth_is_not_a_number_and_no_prediction_is_zero():
    assert np.isnan(average_precision(as_predictions([[1]]), *as_truth([[]]))[0])
    assert average_precision(as_predictions([[]], width=0), *as_truth([[1]])).tolist() == [0]
    assert average_precision(np.empty((0, 5), np.int32), *as_truth([])).shape == (0,)
