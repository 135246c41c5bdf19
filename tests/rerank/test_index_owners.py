import numpy as np
import pytest

from landmarks.ops.class_probabilities import class_centres
from landmarks.ranking import Space
from landmarks.rerank import index_owners as module
from landmarks.rerank.context import Context
from landmarks.rerank.index_owners import index_depth, owners_of_index


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def images(random, centres, each, noise):
    of = np.repeat(np.arange(len(centres)), each)
    return unit(centres[of] + noise * random.standard_normal((len(of), centres.shape[1]))), of


def test_an_index_image_is_of_the_landmark_whose_centre_is_near_and_of_none_far_from_all():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    rows = np.eye(6)[labels] + 0.05 * random.standard_normal((60, 6))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    index = np.eye(6, dtype=np.float32)[[1, 0, 2, 5]]
    index[3] = np.ones(6) / 6**0.5  # between all of them
    context = Context(Space(rows[:1], index, rows), labels * 7 - 3, lambda split: {"index": index, "train": rows}[split])
    assert owners_of_index(context).tolist() == [1, 0, 2, -1]


def world(landmarks, known, train, index, noise):
    """A context whose train knows the first `known` of the landmarks."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((landmarks, 64))
    (train, labels), (index, _) = images(random, centres[:known], train, noise), images(random, centres, index, noise)
    return Context(Space(train[:1], index, train), labels, {"index": index, "train": train}.__getitem__)


@pytest.mark.parametrize(("noise", "least", "most"), [(0.1, 1.0, 1.0), (2.5, 0.7, 0.95)])
def test_the_index_images_of_a_landmark_are_counted_though_not_all_of_them_are_certain(noise, least, most):
    context = world(20, 20, 30, 9, noise)
    assert least <= (owners_of_index(context) >= 0).mean() <= most
    assert 0.75 * 9 < index_depth(context).images <= 9 and abs(index_depth(context).alike - 9) < 0.5


@pytest.mark.parametrize("index", [4, 20])
def test_images_of_landmarks_that_train_does_not_know_are_not_counted(index):
    found = index_depth(world(100, 40, 10, index, 1.0))
    assert 0.6 * index < found.images <= index
    assert found.alike > 1.4 * index, "those of others that seem to be of one, too"


def test_few_landmarks_tell_little_about_others():
    found = index_depth(world(100, 3, 10, 8, 1.0))
    assert found.images == 0 and found.alike > 100


def test_the_probability_without_the_own_label_is_that_of_a_softmax_without_its_class():
    random = np.random.default_rng(0)
    rows, own = images(random, random.standard_normal((6, 5)), 30, 0.9)
    centres = class_centres(rows, own, 6)
    powers = np.exp(8.0 * rows.astype(np.float64) @ centres.T.astype(np.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    order = np.argsort(-probabilities, axis=1)[:, :2]
    powers[np.arange(len(own)), own] = 0
    expected = powers.max(axis=1) / powers.sum(axis=1)
    among = (order == own[:, None]).any(axis=1)
    found = module._without_own(order, np.take_along_axis(probabilities, order, axis=1), own)
    np.testing.assert_allclose(found[among], expected[among], rtol=1e-6)
    assert among.mean() > 0.7 and (found[~among] <= expected[~among]).all()


def test_the_depth_needs_two_landmarks_and_of_an_empty_index_it_is_none():
    rows = unit(np.random.default_rng(0).standard_normal((6, 4)))
    empty = Context(Space(rows, rows[:0], rows), np.arange(6) // 3, {"index": rows[:0], "train": rows}.__getitem__)
    assert index_depth(empty) == (0, 0)
    one = Context(Space(rows, rows, rows), np.zeros(6, int), {"index": rows, "train": rows}.__getitem__)
    with pytest.raises(ValueError, match="two landmarks or more, not 1"):
        index_depth(one)
