import numpy as np
import pytest

from landmarks.config import TrainSettings
from landmarks.data.sampler import TrainingOrder, epoch_parts, steps_and_part
from landmarks.errors import UserError

SETTINGS = TrainSettings(batch_size=8, epochs=3)


def test_an_epoch_sees_each_image_once_but_for_the_last_incomplete_batch():
    rows = epoch_parts(37, SETTINGS, epoch=0)
    assert rows.shape == (4, 1, 8) and len(np.unique(rows)) == 32
    assert not np.array_equal(rows, epoch_parts(37, SETTINGS, epoch=1))
    assert not np.array_equal(rows, epoch_parts(37, SETTINGS.model_copy(update={"seed": 1}), epoch=0))


@pytest.mark.parametrize("world, accumulate", [(2, 1), (1, 4), (2, 2)])
def test_a_batch_is_the_same_however_it_is_cut(world, accumulate):
    settings = SETTINGS.model_copy(update={"accumulate": accumulate})
    whole = np.sort(epoch_parts(37, SETTINGS, 0).reshape(4, 8), axis=1)
    parts = np.concatenate([epoch_parts(37, settings, 0, rank, world).reshape(4, -1) for rank in range(world)], axis=1)
    np.testing.assert_array_equal(np.sort(parts, axis=1), whole)


def test_starting_late_gives_the_rest_of_the_same_order():
    whole = list(TrainingOrder(37, SETTINGS))
    assert len(whole) == len(TrainingOrder(37, SETTINGS)) == 12
    for start in (0, 3, 4, 7, 12):
        rest = TrainingOrder(37, SETTINGS, start=start)
        assert list(rest) == whole[start:] and len(rest) == 12 - start


def test_few_images_make_a_smaller_batch():
    assert steps_and_part(7, SETTINGS) == (1, 7)
    assert steps_and_part(7, SETTINGS, world=2) == (1, 3)
    assert epoch_parts(7, SETTINGS, 0).shape == (1, 1, 7)


def test_batches_that_cannot_be_cut_are_refused():
    with pytest.raises(UserError, match="(?s)batch_size=8 does not divide.*train.batch_size=9"):
        steps_and_part(37, SETTINGS, world=3)
    with pytest.raises(UserError, match="2 are needed"):
        steps_and_part(3, SETTINGS, world=2)
