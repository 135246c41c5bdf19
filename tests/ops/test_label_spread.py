import numpy as np
import pytest

from landmarks.ops import label_spread as module
from landmarks.ops.label_spread import LabelDistributions, class_axes, joint_neighbours, sketch_labels, spread_labels


def test_neighbours_of_both_splits_worked_by_hand():
    train = np.array([[4, 2]], np.int32), np.array([[0.8, 0.5]], np.float32)
    index = np.array([[7, -1]], np.int32), np.array([[0.8, -np.inf]], np.float32)
    numbers, weights = joint_neighbours(train, index, 4, power=1)
    assert numbers.tolist() == [[-6, 7, -4, -1]], "at equal similarity train is the nearer"
    np.testing.assert_allclose(weights, [[0.8 / 2.1, 0.8 / 2.1, 0.5 / 2.1, 0]], rtol=1e-6)


@pytest.mark.parametrize("power", [0, 3])
def test_neighbours_of_both_splits_in_blocks_are_those_of_each_image_by_itself(monkeypatch, power):
    random = np.random.default_rng(0)
    lists = []
    for _ in range(2):
        similarities = -np.sort(-random.random((11, 4), dtype=np.float32), axis=1)
        none = random.random((11, 4)) < 0.2
        lists.append((np.where(none, -1, random.integers(0, 50, (11, 4))).astype(np.int32), np.where(none, -np.inf, similarities)))
    one_by_one = [joint_neighbours(*[(rows[i : i + 1], own[i : i + 1]) for rows, own in lists], 5, power) for i in range(11)]
    monkeypatch.setattr(module, "BLOCK", 3)
    for together, alone in zip(joint_neighbours(*lists, 5, power), zip(*one_by_one, strict=True), strict=True):
        np.testing.assert_array_equal(together, np.concatenate(alone))


def test_without_any_alike_neighbour_there_is_no_weight():
    train = np.array([[0], [-1]], np.int32), np.array([[-0.2], [-np.inf]], np.float32)
    numbers, weights = joint_neighbours(train, train, 2, power=0)
    assert weights[1].tolist() == [0, 0]
    numbers, weights = joint_neighbours(train, train, 2, power=3)
    assert not weights.any()
    assert (spread_labels(numbers, weights, np.array([5]), None, 2).labels == -1).all()


def dense(distributions, classes):
    table = np.zeros((len(distributions.labels), classes))
    for row, (labels, shares) in enumerate(zip(*distributions, strict=True)):
        for label, share in zip(labels, shares, strict=True):
            if label >= 0:
                table[row, label] += share
    return table


def test_two_rounds_equal_those_of_a_dense_table():
    random = np.random.default_rng(0)
    n_index, n_train, classes, k = 40, 30, 7, 6
    numbers = random.integers(-1 - n_train, n_index, (n_index, k))
    weights = random.random((n_index, k), dtype=np.float32) * (numbers != -1)
    weights /= weights.sum(axis=1, keepdims=True)
    labels = random.integers(0, classes, n_train)
    table, spread = np.zeros((n_index, classes)), None
    for _ in range(2):
        after = np.zeros_like(table)
        for row in range(n_index):
            for number, weight in zip(numbers[row], weights[row], strict=True):
                if number < -1:
                    after[row, labels[-2 - number]] += weight
                elif number >= 0:
                    after[row] += weight * table[number]
        table, spread = after, spread_labels(numbers, weights, labels, spread, classes)
    np.testing.assert_allclose(dense(spread, classes), table, atol=1e-6)
    assert (np.diff(spread.shares, axis=1) <= 0).all() and (spread.shares.sum(axis=1) <= 1 + 1e-5).all()
    cut = spread_labels(numbers, weights, labels, None, 2)
    whole = spread_labels(numbers, weights, labels, None, classes)
    np.testing.assert_array_equal(cut.labels, whole.labels[:, :2])


def test_an_image_whose_neighbours_have_no_labels_has_a_small_share():
    numbers, weights = np.array([[1, 2], [0, -2]]), np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    first = spread_labels(numbers, weights, np.array([3]), None, 4)
    assert first.labels[0, 0] == -1 and first.labels[1, 0] == 3 and first.shares[1, 0] == 0.5


@pytest.mark.parametrize("classes", [5, 300])
def test_inner_products_survive_the_sketch(classes):
    random = np.random.default_rng(1)
    labels = np.stack([random.permutation(classes)[:3] for _ in range(50)]).astype(np.int32)
    shares = np.tile(np.array([0.6, 0.3, 0.1], np.float32), (50, 1))
    labels[0, 1:], shares[0, 1:] = -1, 0
    given = LabelDistributions(labels, shares)
    table, sketch = dense(given, classes), sketch_labels(given, class_axes(classes, 128))
    assert sketch.shape == (50, min(classes, 128))
    np.testing.assert_allclose(sketch @ sketch.T, table @ table.T, atol=1e-6 if classes <= 128 else 0.25)
    np.testing.assert_array_equal(class_axes(classes, 128), class_axes(classes, 128))
    np.testing.assert_allclose(np.linalg.norm(class_axes(classes, 128), axis=1), 1, rtol=1e-5)
