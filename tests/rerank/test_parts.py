from dataclasses import replace

import numpy as np
import pytest

from landmarks.rerank.parts import Parts, split_training, too_few_landmarks
from landmarks.rerank.steps.fuse import Fuse


def draw(**changes):
    return replace(Fuse().draw(), **{"train_share": 0.5} | changes)


def landmarks(count=40, images=10, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(count), images))


def counted(labels, rows, count=40):
    return np.bincount(labels[rows], minlength=count)


def require_apart(parts):
    rows = np.concatenate([parts.train, parts.hidden, parts.test])
    assert len(np.unique(rows)) == len(rows) and len(np.unique(parts.index)) == len(parts.index)
    assert all((np.diff(part) > 0).all() for part in (parts.train, parts.hidden, parts.test, parts.index))


def test_a_landmark_is_as_deep_in_the_pseudo_index_as_in_the_index():
    labels, depth = landmarks(), np.arange(40) % 12  # index images of each landmark: 0 to 11
    owners = np.concatenate([np.repeat(np.arange(40), depth), np.full(70, -1)])
    owners = np.random.default_rng(1).permutation(owners)
    parts = split_training(labels, owners, draw(unknown_share=0.25))
    require_apart(parts)
    assert counted(labels, parts.test).tolist() == [2] * 40
    hidden, train = counted(labels, parts.hidden), counted(labels, parts.train)
    np.testing.assert_array_equal(hidden, np.clip(depth, 1, 4))
    np.testing.assert_array_equal(hidden + counted(owners, parts.index[owners[parts.index] >= 0]), np.maximum(depth, 1))
    assert sorted(train) == [0] * 10 + [4] * 30
    assert (owners[parts.index] < 0).sum() == 70, "images of no certain landmark all stay"


@pytest.mark.parametrize("images", [3, 4, 5, 14])
def test_thin_landmarks_have_an_image_for_every_part(images):
    labels = landmarks(6, images)
    parts = split_training(labels, np.repeat(np.arange(6), 9), draw(unknown_share=0, train_share=0.7))
    require_apart(parts)
    for part in (parts.train, parts.hidden, parts.test):
        assert counted(labels, part, 6).min() >= 1
    assert len(parts.train) >= len(parts.hidden)


def test_of_a_large_index_some_landmarks_are_drawn_with_all_their_images():
    labels, owners = landmarks(), np.concatenate([np.repeat(np.arange(40), 20), np.full(200, -1)])
    parts = split_training(labels, owners, draw(index_images=500))
    require_apart(parts)
    strangers = (owners[parts.index] < 0).sum()
    assert strangers == 100 and 470 <= len(parts.index) + len(parts.hidden) <= 500
    drawn = np.unique(labels[parts.test])
    assert len(drawn) == 20
    depth = counted(labels, parts.hidden) + counted(owners, parts.index[owners[parts.index] >= 0])
    np.testing.assert_array_equal(depth, np.where(np.isin(np.arange(40), drawn), 20, 0))
    assert set(labels[parts.train]) <= set(drawn)


@pytest.mark.parametrize("seed", range(8))
def test_a_landmark_with_more_index_images_than_are_drawn_is_skipped_wherever_it_is_shuffled(seed):
    labels, owners = landmarks(12, 20), np.concatenate([np.zeros(6500, np.int64), np.repeat(np.arange(1, 12), 20)])
    parts = split_training(labels, owners, draw(index_images=4500, seed=seed))
    require_apart(parts)
    assert set(labels[parts.test]) == set(range(1, 12))
    assert len(np.unique(labels[parts.train])) == 8, "three of the eleven are unknown"
    assert (owners[parts.index] > 0).all()
    assert too_few_landmarks(labels, [parts], 4500) == ""


def test_the_world_with_fewest_landmarks_counts_and_steps_that_learn_need_two():
    def parts(known, asked):
        nothing = np.empty(0, np.int64)
        return Parts(np.arange(known), nothing, np.arange(asked), nothing)

    labels = np.arange(9)
    assert too_few_landmarks(labels, [parts(2, 5), parts(3, 9)], 70) == ""
    assert too_few_landmarks(labels, [parts(4, 8), parts(4, 4)], 70).startswith("pseudo-queries of 4 landmarks are too few")
    assert "index_images=70" in too_few_landmarks(labels, [parts(4, 8), parts(4, 4)], 70)
    assert too_few_landmarks(labels, [parts(4, 8), parts(1, 8)], 70).startswith("a pseudo-train set of 1 landmarks is too small")
    assert "of 0 landmarks" in too_few_landmarks(labels, [parts(0, 0)], 70)


def test_without_the_index_all_others_are_hidden():
    labels = landmarks()
    parts = split_training(labels, None, draw(unknown_share=0.25))
    require_apart(parts)
    assert len(parts.index) == 0 and len(parts.train) + len(parts.hidden) + len(parts.test) == 400
    known = set(labels[parts.train])
    for landmark in range(40):
        of = [int((labels[part] == landmark).sum()) for part in (parts.train, parts.hidden, parts.test)]
        assert of == ([4, 4, 2] if landmark in known else [0, 8, 2])
    assert len(split_training(labels, None, draw(queries=7, index_images=90)).hidden) <= 90


@pytest.mark.parametrize("owners", [None, np.repeat(np.arange(40), 5)])
def test_the_numbers_of_the_landmarks_do_not_matter_and_the_seed_does(owners):
    labels, renaming = landmarks(), np.random.default_rng(1).permutation(40)
    one = split_training(labels, owners, draw())
    other = split_training(renaming[labels], None if owners is None else renaming[owners], draw())
    for name in ("train", "hidden", "test", "index"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert split_training(labels, owners, draw(seed=1)).test.tolist() != one.test.tolist()


def test_pseudo_queries_are_limited():
    parts = split_training(landmarks(), None, draw(queries=7))
    assert len(parts.test) == 7


def test_landmarks_of_fewer_than_three_images_play_no_part():
    for labels in (np.repeat(np.arange(9), 2), np.arange(0)):
        parts = split_training(labels, None, draw())
        assert not any(map(len, (parts.train, parts.hidden, parts.test, parts.index)))
