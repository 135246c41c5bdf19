import numpy as np
import pytest

from landmarks.ops.recognition import demote_frequent, recognition_votes
from landmarks.ops.voting import Votes, label_votes


def score_one_by_one(labels, inliers, cosines, weight):
    """The formula, image by image, in plain Python."""
    found = []
    for row in zip(labels.tolist(), inliers.tolist(), cosines.tolist(), strict=True):
        scores = {}
        for label, count, cosine in zip(*row, strict=True):
            if label >= 0:
                scores[label] = scores.get(label, 0.0) + min(70, count) / 70 + weight * cosine
        best = max(scores, key=scores.get, default=-1)  # of equals the first that was met
        found.append((best, scores.get(best, 0.0)))
    return found


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_scores_equal_the_formula_on_random_data(weight):
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 5, (300, 9))
    inliers, cosines = rng.integers(0, 200, (300, 9)), rng.random((300, 9)).astype(np.float32)
    votes, expected = recognition_votes(labels, inliers, cosines, weight), score_one_by_one(labels, inliers, cosines, weight)
    assert votes.labels.tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(votes.scores, [score for _, score in expected], rtol=1e-5)


def test_by_hand():
    votes = recognition_votes(np.array([[4, 9, 9]]), np.array([[140, 35, 35]]), np.array([[0.8, 0.4, 0.4]], np.float32))
    assert votes.labels.tolist() == [4]
    assert votes.scores[0] == pytest.approx(1.2)  # a tie, 1 + 0.2 against 2 * (0.5 + 0.1): the image found first


def test_nothing_found_has_no_label():
    votes = recognition_votes(np.full((2, 3), -1), np.full((2, 3), -1), np.full((2, 3), -np.inf, np.float32))
    assert votes.labels.tolist() == [-1, -1] and votes.scores.tolist() == [0, 0]
    assert recognition_votes(np.empty((0, 3), np.int64), np.empty((0, 3)), np.empty((0, 3))).labels.shape == (0,)


def test_without_inliers_the_labels_are_those_of_the_plain_vote():
    rng = np.random.default_rng(1)
    labels, cosines = rng.integers(0, 4, (50, 5)), rng.random((50, 5)).astype(np.float32)
    assert recognition_votes(labels, np.zeros((50, 5)), cosines, 1.0).labels.tolist() == label_votes(labels, cosines).labels.tolist()


def as_votes(labels, scores):
    return Votes(np.array(labels), np.array(scores, np.float32))


def test_labels_predicted_too_often_rank_behind_all_others_in_their_own_order():
    votes = as_votes([7, 7, 7, 8, 8, -1], [0.9, 0.5, 0.7, 0.8, -0.2, 0.0])
    confidences = demote_frequent(votes, max_queries=2)
    assert np.argsort(-confidences).tolist() == [3, 5, 4, 0, 2, 1]
    assert confidences[3:].tolist() == votes.scores[3:].tolist()


def test_as_often_as_allowed_is_not_too_often_and_no_label_is_none():
    votes = as_votes([7, 7, -1, -1, -1], [0.5, 0.4, 0.0, 0.0, 0.0])
    assert demote_frequent(votes, max_queries=2) is votes.scores
    assert demote_frequent(as_votes([], []), max_queries=2).shape == (0,)


def test_equal_scores_of_one_label_alone_still_fall():
    assert demote_frequent(as_votes([1, 1], [0.5, 0.5]), max_queries=1).tolist() == [-0.5, -0.5]
