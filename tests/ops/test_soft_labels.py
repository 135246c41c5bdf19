import numpy as np
import pytest

from landmarks.ops.soft_labels import soft_labels
from landmarks.ops.voting import Votes


def votes(labels, scores):
    return Votes(np.array(labels, np.int64), np.array(scores, np.float32))


def test_worked_by_hand():
    """Label 1 is asked for: 0.5 - 0.1 * 0.5 = 0.45; 0.25 + 0.5 = 0.75; no label, 0.125; 0.0625 + 0 = 0.0625."""
    index = votes([0, 1, -1, 1], [0.5, 0.5, 0.0, 0.0])
    indices, scores = np.array([[0, 1, 2, 3, -1]], np.int32), np.array([[0.5, 0.25, 0.125, 0.0625, -np.inf]], np.float32)
    ordered, values = soft_labels(indices, scores, votes([1], [0.5]), index)
    assert ordered.tolist() == [[1, 0, 2, 3, -1]]
    np.testing.assert_allclose(values, [[0.75, 0.45, 0.125, 0.0625, -np.inf]], rtol=1e-6)
    unchanged, values = soft_labels(indices, scores, votes([-1], [0.0]), index)
    assert unchanged.tolist() == indices.tolist() and values.tolist() == scores.tolist(), "a query without a label keeps its row"


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_plain_twin(seed):
    rng = np.random.default_rng(seed)
    index = votes(rng.integers(-1, 4, 40), rng.integers(0, 9, 40) / 8)
    query = votes(rng.integers(-1, 5, 30), rng.random(30))
    indices = np.stack([rng.permutation(40)[:9] for _ in range(30)]).astype(np.int32)
    scores = np.sort(rng.integers(0, 9, (30, 9)) / 8, axis=1)[:, ::-1].astype(np.float32)
    for row, kept in enumerate(rng.integers(0, 10, 30)):
        indices[row, kept:], scores[row, kept:] = -1, -np.inf
    ordered, values = soft_labels(indices, scores, query, index, reward=0.5, penalty=0.25)
    for row in range(30):
        expected = []
        for image, score in zip(indices[row].tolist(), scores[row].tolist(), strict=True):
            if image < 0:
                continue
            if query.labels[row] >= 0 and index.labels[image] >= 0:
                same = query.labels[row] == index.labels[image]
                score += (0.5 if same else -0.25) * float(index.scores[image])
            expected.append((score, image))
        expected.sort(key=lambda pair: -pair[0])
        assert ordered[row].tolist() == [image for _, image in expected] + [-1] * (9 - len(expected))
        np.testing.assert_allclose(values[row][: len(expected)], [score for score, _ in expected], rtol=1e-6)


def test_nothing_to_do():
    empty = np.empty((0, 3), np.int32), np.empty((0, 3), np.float32)
    assert soft_labels(*empty, votes([], []), votes([0], [1.0]))[0].shape == (0, 3)
    none = np.full((1, 2), -1, np.int32), np.full((1, 2), -np.inf, np.float32)
    ordered, values = soft_labels(*none, votes([0], [1.0]), votes([], []))
    assert ordered.tolist() == [[-1, -1]] and values.tolist() == [[-np.inf, -np.inf]]
