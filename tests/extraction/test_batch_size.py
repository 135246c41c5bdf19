import numpy as np
import pytest
import torch

from landmarks.data.extract_set import Batch
from landmarks.errors import UserError
from landmarks.extraction.batch_size import BatchSize


def batch_of(count, height=10, width=20):
    rows = np.zeros((count, 2), np.float32)
    return Batch(np.arange(count), torch.zeros(count, height, width, 3, dtype=torch.uint8), rows, rows, np.full(count, height))


class Memory:
    """Computes at most so many pixels at a time."""

    def __init__(self, pixels):
        self.pixels, self.seen = pixels, []

    def __call__(self, batch):
        count = len(batch.positions)
        self.seen.append(count)
        if count * batch.shape[0] * batch.shape[1] > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch.positions.tolist()


def test_pictures_a_batch_follow_from_their_pixels():
    size = BatchSize(32)
    assert [size.images(shape) for shape in ((1000, 672), (2048, 1376), (64, 64), (9000, 9000))] == [32, 8, 32, 1]


def test_a_batch_is_halved_until_it_fits_and_that_is_remembered(capsys):
    size, memory = BatchSize(32, 10**6), Memory(5 * 200)
    assert sum(size.compute(memory, batch_of(19)), []) == list(range(19))
    assert memory.seen == [19, 9, 4, 4, 4, 4, 3]
    assert "not enough for 19 pictures of 20 x 10: 9 from here on" in capsys.readouterr().out
    memory.seen.clear()
    assert sum(size.compute(memory, batch_of(9)), []) == list(range(9)) and memory.seen == [4, 4, 1]
    assert size.images((10, 20)) == 4 and size.images((20, 20)) == 2, "other shapes have as many pixels"


def test_a_single_picture_that_does_not_fit_is_the_user_s_to_make_smaller():
    with pytest.raises(UserError, match="single picture of 20 x 10 pixels"):
        BatchSize(32).compute(Memory(100), batch_of(3))
