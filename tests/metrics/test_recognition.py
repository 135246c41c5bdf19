from fractions import Fraction

import numpy as np
import pytest

from landmarks.metrics.recognition import correct_predictions, micro_average_precision, resampled_precisions

NONE = -np.inf


def as_truth(rows):
    return np.array([label for row in rows for label in row], np.int64), np.concatenate([[0], np.cumsum([len(r) for r in rows])])


def gap(predictions, truth, distractors=True):
    labels, confidences = (
        (np.array(column) for column in zip(*predictions, strict=True)) if predictions else (np.empty(0, int), np.empty(0))
    )
    return micro_average_precision(labels, confidences, *as_truth(truth), distractors=distractors)


def gap_by_the_definition(predictions, truth, distractors):
    """Prediction by prediction, in fractions."""
    listed = [
        (-confidence, query, label)
        for query, (label, confidence) in enumerate(predictions)
        if confidence > NONE and (distractors or truth[query])
    ]
    total, right = Fraction(0), 0
    for place, (_, query, label) in enumerate(sorted(listed), start=1):
        if label in truth[query]:
            right += 1
            total += Fraction(right, place)
    return total / sum(1 for labels in truth if labels)


# Five queries, two of them distractors, one prediction right: that of query 2, behind the surer one for distractor 3.
TRUTH = [[0, 12], [100, 200, 300], [1], [], []]
PREDICTIONS = [(0, NONE), (0, 0.01), (1, 10.0), (150, 15.0), (0, NONE)]


def test_the_challenge_s_own_example():
    assert gap(PREDICTIONS, TRUTH) == pytest.approx(1 / 6)  # right at place 2 of 3, three answerable queries: (1/2) / 3
    assert gap(PREDICTIONS, TRUTH, distractors=False) == pytest.approx(1 / 3)  # the distractor leaves: place 1


def test_worked_by_hand():
    # By confidence: a right, b wrong, d right, c right. (1 + 2/3 + 3/4) / 4.
    predictions = [(5, 0.9), (6, 0.8), (7, 0.2), (8, 0.5)]
    assert gap(predictions, [[5], [5], [7], [8]]) == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)
    # All right is 1; a distractor without a prediction takes nothing from it, with one at the end neither.
    assert gap(predictions[:2], [[5], [6]]) == 1
    assert gap([*predictions[:2], (9, NONE)], [[5], [6], []]) == 1
    assert gap([*predictions[:2], (9, 0.1)], [[5], [6], []]) == 1
    # At the head of the list it pushes both back: (1/2 + 2/3) / 2.
    assert gap([*predictions[:2], (9, 1.0)], [[5], [6], []]) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_any_of_several_landmarks_is_right_and_counts_once():
    predictions = [(2, 0.9), (3, 0.8)]
    assert gap(predictions, [[1, 2, 3], [3, 3]]) == 1
    labels, confidences = (np.array(column) for column in zip(*predictions, strict=True))
    assert correct_predictions(labels, confidences, *as_truth([[1, 2, 3], [4]])).tolist() == [True, False]


def test_equal_confidences_stand_in_the_order_of_the_queries():
    assert gap([(1, 0.5), (2, 0.5)], [[1], [9]]) == pytest.approx(1 / 2)
    assert gap([(1, 0.5), (2, 0.5)], [[9], [2]]) == pytest.approx(1 / 4)


def test_a_query_without_a_prediction_is_never_correct():
    assert gap([(1, NONE), (2, NONE)], [[1], [2]]) == 0
    assert correct_predictions(np.array([1]), np.array([NONE]), *as_truth([[1]])).tolist() == [False]


def test_without_a_landmark_there_is_no_number():
    assert np.isnan(gap([(1, 0.5)], [[]])) and np.isnan(gap([], []))


@pytest.mark.parametrize("distractors", [True, False])
def test_random_predictions_equal_the_definition(distractors):
    rng = np.random.default_rng(7)
    for _ in range(60):
        truth = [rng.integers(-2, 4, rng.integers(0, 4)).tolist() for _ in range(rng.integers(1, 40))] + [[1]]
        confidences = rng.integers(0, 6, len(truth)) / 5  # many ties
        confidences[rng.random(len(truth)) < 0.2] = NONE
        predictions = list(zip(rng.integers(-2, 4, len(truth)).tolist(), confidences.tolist(), strict=True))
        expected = float(gap_by_the_definition(predictions, truth, distractors))
        assert gap(predictions, truth, distractors) == pytest.approx(expected, rel=1e-12)


def test_the_order_of_the_queries_does_not_matter_where_no_two_are_equally_sure():
    rng = np.random.default_rng(3)
    truth = [rng.integers(0, 5, rng.integers(0, 3)).tolist() for _ in range(50)] + [[2]]
    predictions = list(zip(rng.integers(0, 5, 51).tolist(), rng.permutation(51).tolist(), strict=True))
    shuffled = rng.permutation(51)
    assert gap([predictions[n] for n in shuffled], [truth[n] for n in shuffled]) == pytest.approx(gap(predictions, truth), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_query_drawn_twice_counts_twice(seed):
    """Against the list with the copies written out, in float64."""
    rng = np.random.default_rng(seed)
    confidences = np.where(rng.random(20) < 0.2, -np.inf, rng.choice([0.1, 0.5, 0.5, 0.9], 20) + rng.random(20).round(1))
    starts = np.cumsum([0, *rng.integers(0, 3, 20)])
    truth, labels = rng.integers(0, 3, starts[-1]), rng.integers(0, 3, 20)
    correct, answerable = correct_predictions(labels, confidences, truth, starts), np.diff(starts) > 0
    counts = rng.integers(0, 4, (6, 20))
    counts[0] = 1
    expected = []
    for times in counts:
        rows = np.repeat(np.arange(20), times)
        rows = rows[np.argsort(-confidences[rows], kind="stable")]
        rows = rows[confidences[rows] > -np.inf]
        right = correct[rows].astype(float)
        expected.append((right * np.cumsum(right) / np.arange(1, len(rows) + 1)).sum() / (times * answerable).sum())
    found = resampled_precisions(correct, confidences, answerable, counts)
    assert found == pytest.approx(expected, abs=1e-12)
    assert found[0] == pytest.approx(micro_average_precision(labels, confidences, truth, starts))


def test_a_sample_without_a_landmark_has_no_gap():
    one = np.array([True, False])
    assert np.isnan(resampled_precisions(one, np.array([1.0, 0.5]), one, np.array([[0, 3]])))[0]
