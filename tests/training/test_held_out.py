import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.training.held_out import hold_out

LABELS = np.repeat(np.arange(6), [1, 2, 3, 8, 20, 30])[np.random.default_rng(0).permutation(64)]


def test_images_of_many_landmarks_are_held_out_at_most_half_of_each():
    held = hold_out(LABELS, 20, 1000, landmarks=False, seed=0)
    assert len(held.queries) == 20 and set(held.queries) | set(held.training) == set(range(64))
    assert not set(held.queries) & set(held.training)
    assert (2 * np.bincount(LABELS[held.queries], minlength=6) <= np.bincount(LABELS)).all()
    assert np.array_equal(held.gallery, held.training)
    most = hold_out(LABELS, 1000, 1000, landmarks=False, seed=0)
    assert np.bincount(LABELS[most.queries], minlength=6).tolist() == [0, 1, 1, 4, 10, 15]


def test_whole_landmarks_are_held_out_and_searched_among_all():
    held = hold_out(LABELS, 4, 1000, landmarks=True, seed=0)
    assert not set(LABELS[held.queries]) & set(LABELS[held.training])
    assert 4 <= len(held.queries) and 0 not in LABELS[held.queries]
    assert len(held.gallery) == 64
    most = hold_out(LABELS, 1000, 1000, landmarks=True, seed=0)
    assert len(set(LABELS[most.queries])) == 3


@pytest.mark.parametrize("landmarks", [False, True])
def test_the_gallery_has_the_queries_landmarks_first(landmarks):
    held = hold_out(LABELS, 3, 12, landmarks=landmarks, seed=0)
    whole = hold_out(LABELS, 3, 1000, landmarks=landmarks, seed=0).gallery
    own = np.isin(LABELS[whole], LABELS[held.queries]).sum()
    assert len(held.gallery) == 12 and np.isin(LABELS[held.gallery], LABELS[held.queries]).sum() == min(12, own)
    assert np.array_equal(held.gallery, np.unique(held.gallery))


def test_the_choice_follows_the_seed():
    chosen = [hold_out(LABELS, 10, 30, landmarks=False, seed=seed) for seed in (0, 0, 1)]
    assert all(np.array_equal(one, two) for one, two in zip(chosen[0], chosen[1]))
    assert not np.array_equal(chosen[0].queries, chosen[2].queries)


@pytest.mark.parametrize(("labels", "landmarks"), [([0, 1, 2], False), ([0, 0, 1], True), ([0, 0, 0, 0], False)])
def test_too_few_images_are_refused(labels, landmarks):
    with pytest.raises(UserError, match="(?s)too few images.*train.validation_images=0"):
        hold_out(np.array(labels), 1, 10, landmarks=landmarks, seed=0)
