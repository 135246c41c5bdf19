import numpy as np
import pytest

from landmarks.ops.voting import label_votes


def vote_one_by_one(labels, similarities):
    """The formula of the paper, image by image, in plain Python."""
    votes = []
    for row, weights in zip(labels.tolist(), similarities.tolist(), strict=True):
        sums = {}
        for label, weight in zip(row, weights, strict=True):
            if label >= 0:
                sums[label] = sums.get(label, 0.0) + weight
        if not sums:
            votes.append((-1, 0.0))
            continue
        best = max(sums.values())
        nearest = next(label for label in row if label >= 0 and sums[label] == best)
        votes.append((nearest, best / len(row)))
    return votes


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_votes_equal_the_formula_on_random_data_with_ties_and_missing_neighbours(k):
    rng = np.random.default_rng(k)
    labels = rng.integers(-1, 4, (500, k))
    similarities = np.sort(rng.integers(-2, 9, (500, k)) / 8, axis=1)[:, ::-1].astype(np.float32)  # eighths: sums are exact, ties many
    votes = label_votes(labels, similarities)
    expected = vote_one_by_one(labels, similarities)
    assert votes.labels.tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(votes.scores, [score for _, score in expected], rtol=1e-6)


def test_a_tie_goes_to_the_label_of_the_nearer_neighbour():
    votes = label_votes(np.array([[7, 5, 5], [5, 7, -1]]), np.array([[0.5, 0.25, 0.25], [0.5, 0.5, 0]], np.float32))
    assert votes.labels.tolist() == [7, 5]
    np.testing.assert_allclose(votes.scores, [0.5 / 3, 0.5 / 3])


def test_a_label_that_loses_similarity_to_a_negative_cosine_can_lose_the_vote():
    votes = label_votes(np.array([[1, 2, 1]]), np.array([[0.5, 0.4, -0.3]], np.float32))
    assert votes.labels.tolist() == [2]


def test_no_neighbours_no_images_and_padding():
    assert label_votes(np.full((2, 3), -1), np.full((2, 3), -np.inf, np.float32)).labels.tolist() == [-1, -1]
    assert label_votes(np.full((2, 3), -1), np.full((2, 3), -np.inf, np.float32)).scores.tolist() == [0, 0]
    assert label_votes(np.empty((0, 3), np.int64), np.empty((0, 3), np.float32)).labels.shape == (0,)
    assert label_votes(np.empty((2, 0), np.int64), np.empty((2, 0), np.float32)).labels.tolist() == [-1, -1]
