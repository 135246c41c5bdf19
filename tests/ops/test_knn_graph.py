import numpy as np
import pytest

from landmarks.ops.knn_graph import mutual_only, nearest_others


def test_the_image_itself_is_dropped_at_any_place():
    neighbours = np.array([[0, 2, 1], [0, 1, 2], [1, 0, -1]], np.int32)
    similarities = np.array([[1, 0.5, 0.25], [1, 1, 0.5], [0.5, 0.25, -np.inf]], np.float32)
    others, values = nearest_others(neighbours, similarities, 2)
    assert others.tolist() == [[2, 1], [0, 2], [1, 0]]
    assert values.tolist() == [[0.5, 0.25], [1, 0.5], [0.5, 0.25]]
    others, values = nearest_others(neighbours, similarities, 3)
    assert others[2].tolist() == [1, 0, -1] and values[2, 2] == -np.inf, "more wanted than there are"
    assert nearest_others(neighbours, similarities, 1)[0].tolist() == [[2], [0], [1]]


def test_sizes():
    assert nearest_others(np.empty((0, 3), np.int32), np.empty((0, 3), np.float32), 2)[0].shape == (0, 2)
    with pytest.raises(ValueError, match="disagree"):
        nearest_others(np.zeros((2, 3), np.int32), np.zeros((2, 2), np.float32), 2)


def test_only_neighbours_that_list_the_image_in_turn_are_kept():
    assert mutual_only(np.array([[1, 2], [0, -1], [1, 0], [0, 1]], np.int32)).tolist() == [[1, 2], [0, -1], [-1, 0], [-1, -1]]
    neighbours = np.argsort(np.random.default_rng(0).random((60, 60)), axis=1)[:, :7].astype(np.int32)
    expected = [[j if i in neighbours[j] else -1 for j in row] for i, row in enumerate(neighbours.tolist())]
    assert mutual_only(neighbours).tolist() == expected
    assert mutual_only(np.empty((0, 3), np.int32)).shape == (0, 3)
