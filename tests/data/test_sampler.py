import numpy as np
import pytest

from landmarks.config import TrainSettings
from landmarks.data.aspects import SQUARE
from landmarks.data.sampler import Key, TrainingOrder, plan_epoch, steps_and_part
from landmarks.errors import UserError

SETTINGS = TrainSettings(batch_size=8, epochs=3)
LABELS = np.array([0] * 15 + [1] * 12 + [2] * 7 + [3] * 2 + [4])
SHAPES = np.random.default_rng(0).integers(0, 5, 37).astype(np.int8)
samplers = pytest.mark.parametrize("sampler", ["uniform", "square_root", "pairs"])
shaped = pytest.mark.parametrize("shapes", [None, SHAPES], ids=["square", "shapes"])


def settings_of(**changes):
    return SETTINGS.model_copy(update=changes)


def batches(settings, world=1, shapes=None, start=0):
    """The Keys of each whole batch, in no order."""
    ranks = [list(TrainingOrder(LABELS, settings, rank, world, start, shapes)) for rank in range(world)]
    parts = [sum((rank[n] for rank in ranks), []) for n in range(len(ranks[0]))]
    steps = range(0, len(parts), settings.parts)
    return [sorted(sum((parts[step + n] for n in range(settings.parts)), [])) for step in steps]


def test_an_epoch_sees_each_image_once_but_for_the_last_incomplete_batch():
    plan = plan_epoch(LABELS, SETTINGS, 0, 4, 8)
    assert plan.rows.shape == (4, 8) and len(np.unique(plan.rows)) == 32
    assert (plan.repeats == 0).all() and plan.shapes.tolist() == [SQUARE] * 4
    assert not np.array_equal(plan.rows, plan_epoch(LABELS, SETTINGS, 1, 4, 8).rows)
    assert not np.array_equal(plan.rows, plan_epoch(LABELS, settings_of(seed=1), 0, 4, 8).rows)


@samplers
@shaped
@pytest.mark.parametrize("world, accumulate", [(2, 1), (1, 4), (2, 2)])
def test_a_batch_is_the_same_however_it_is_cut(sampler, shapes, world, accumulate):
    """Each process has its own share, and all of them together have what one has: nothing is left out and nothing comes twice."""
    whole = batches(settings_of(sampler=sampler), shapes=shapes)
    assert batches(settings_of(sampler=sampler, accumulate=accumulate), world, shapes) == whole
    assert len(whole) == 12 and all(len(set(batch)) == 8 for batch in whole)


@samplers
@shaped
def test_starting_late_gives_the_rest_of_the_same_order(sampler, shapes):
    settings = settings_of(sampler=sampler, accumulate=2)
    for world, rank in ((1, 0), (2, 1)):
        whole = list(TrainingOrder(LABELS, settings, rank, world, 0, shapes))
        assert len(whole) == len(TrainingOrder(LABELS, settings, rank, world, 0, shapes)) == 24
        for start in (0, 3, 4, 7, 12):
            rest = TrainingOrder(LABELS, settings, rank, world, start, shapes)
            assert list(rest) == whole[2 * start :] and len(rest) == 24 - 2 * start


@shaped
def test_the_rows_of_a_step_are_those_that_the_processes_compute(shapes):
    settings, start = settings_of(accumulate=2), 3
    for rank in (0, 1):
        order = TrainingOrder(LABELS, settings, rank, 2, start, shapes)
        computed = [[key.row for key in part] for part in order]
        for step in range(start, order.steps):
            first, second = computed[2 * (step - start) : 2 * (step - start) + 2]
            assert order.rows_of(step, [rank]) == first + second
            assert order.rows_of(step, [0, 1]) == order.rows_of(step, [0]) + order.rows_of(step, [1])


@shaped
def test_every_landmark_of_a_batch_has_two_images(shapes):
    for batch in batches(settings_of(sampler="pairs"), shapes=shapes):
        assert (np.bincount(LABELS[[key.row for key in batch]], minlength=5) != 1).all()


@samplers
def test_an_image_that_comes_again_in_an_epoch_is_another_occurrence(sampler):
    keys = [key for part in TrainingOrder(LABELS, settings_of(sampler=sampler)) for key in part]
    assert len(set(keys)) == len(keys)
    assert any(key.repeat for key in keys) == (sampler != "uniform")


def test_a_batch_has_one_shape():
    for part in TrainingOrder(LABELS, settings_of(batch_size=4), shapes=SHAPES):
        assert len({key.shape for key in part}) == 1 and isinstance(part[0], Key)


def test_few_images_make_a_smaller_batch():
    assert steps_and_part(7, SETTINGS) == (1, 7)
    assert steps_and_part(7, SETTINGS, world=2) == (1, 3)
    assert steps_and_part(7, settings_of(sampler="pairs")) == (1, 6)
    assert [len(part) for part in TrainingOrder(LABELS[:7], settings_of(epochs=1))] == [7]


def test_batches_that_cannot_be_cut_are_refused():
    with pytest.raises(UserError, match="(?s)batch_size=8 does not divide.*train.batch_size=9"):
        steps_and_part(37, SETTINGS, world=3)
    with pytest.raises(UserError, match="2 are needed"):
        steps_and_part(3, SETTINGS, world=2)
