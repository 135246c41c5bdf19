import numpy as np

from landmarks.ops.non_landmark import non_landmark_penalty


def test_worked_by_hand():
    """Means of the nearest non-landmarks: (0.5 + 0.25) / 2, 0.125, none."""
    similarities = np.array([[0.5, 0.25], [0.125, -np.inf], [-np.inf, -np.inf]], np.float32)
    indices, scores = np.array([[0, 1, 2, -1]], np.int32), np.array([[0.75, 0.625, 0.5, -np.inf]], np.float32)
    ordered, values = non_landmark_penalty(indices, scores, similarities)
    assert ordered.tolist() == [[1, 2, 0, -1]] and values.tolist() == [[0.5, 0.5, 0.375, -np.inf]], "equal scores keep their places"
    ordered, values = non_landmark_penalty(indices, scores, similarities, weight=0.5)
    assert ordered.tolist() == [[0, 1, 2, -1]] and values.tolist() == [[0.5625, 0.5625, 0.5, -np.inf]]


def test_equals_the_plain_twin():
    rng = np.random.default_rng(0)
    similarities = np.sort(rng.integers(0, 9, (25, 5)) / 8, axis=1)[:, ::-1].astype(np.float32)
    similarities[rng.random(similarities.shape) < 0.2] = -np.inf
    indices = np.stack([rng.permutation(25)[:8] for _ in range(20)]).astype(np.int32)
    scores = rng.random((20, 8)).astype(np.float32)
    ordered, values = non_landmark_penalty(indices, scores, similarities, weight=2)
    for row in range(20):
        expected = []
        for image, score in zip(indices[row].tolist(), scores[row].tolist(), strict=True):
            near = [float(value) for value in similarities[image] if value > -1]
            expected.append((score - 2 * sum(near) / len(near) if near else score, image))
        expected.sort(key=lambda pair: -pair[0])
        assert ordered[row].tolist() == [image for _, image in expected]
        np.testing.assert_allclose(values[row], [score for score, _ in expected], atol=1e-6)


def test_nothing_to_do():
    none = np.full((1, 2), -1, np.int32), np.full((1, 2), -np.inf, np.float32)
    for similarities in (np.empty((0, 5), np.float32), np.empty((3, 0), np.float32)):
        assert non_landmark_penalty(*none, similarities)[0].tolist() == [[-1, -1]]
    assert non_landmark_penalty(np.empty((0, 2), np.int32), np.empty((0, 2), np.float32), np.ones((3, 5), np.float32))[0].shape == (0, 2)
