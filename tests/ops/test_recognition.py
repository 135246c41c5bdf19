import numpy as np
import pytest

from landmarks.ops.recognition import recognition_votes


def score_one_by_one(labels, inliers, cosines):
    """The formula, image by image, in plain Python."""
    found = []
    for row in zip(labels.tolist(), inliers.tolist(), cosines.tolist(), strict=True):
        scores = {}
        for label, count, cosine in zip(*row, strict=True):
            if label >= 0:
                scores[label] = scores.get(label, 0.0) + min(70, count) / 70 + 0.25 * cosine
        best = max(scores, key=scores.get, default=-1)  # of equals the first that was met
        found.append((best, scores.get(best, 0.0)))
    return found


def test_scores_equal_the_formula_on_random_data():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 5, (300, 9))
    inliers, cosines = rng.integers(0, 200, (300, 9)), rng.random((300, 9)).astype(np.float32)
    votes, expected = recognition_votes(labels, inliers, cosines), score_one_by_one(labels, inliers, cosines)
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
