"""A batch divided among several cards, which are threads here; the cores of a CPU are tested through the stages."""

import gc
import time
import weakref

import numpy as np
import pytest
import torch

from landmarks.data.extract_set import Batch
from landmarks.extraction.cores import Computed, divided


@pytest.mark.parametrize("failing", [0, 1])
def test_the_error_of_a_card_arrives_once_no_other_computes_and_frees_what_they_made(failing):
    finished, made = [], []

    def out_of_memory(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def slow(batch):
        time.sleep(0.3)
        rows = torch.ones(len(batch.positions), 2)
        made.append(weakref.ref(rows))
        finished.append(batch.positions.tolist())
        return Computed(rows, list)

    computes = [slow, slow, slow]
    computes[failing] = out_of_memory
    rows = np.zeros((6, 2), np.float32)
    batch = Batch(np.arange(6), torch.zeros(6, 4, 4, 3, dtype=torch.uint8), rows, rows, np.full(6, 4))
    compute = divided(computes)
    gc.disable()  # a smaller batch is tried at once, not when a cycle happens to be found
    try:
        try:
            compute(batch)
        except torch.OutOfMemoryError:
            there = len(finished)
        assert there == 2 and sorted(finished) == [part for part in ([0, 1], [2, 3], [4, 5]) if part[0] != 2 * failing]
        until = time.monotonic() + 5  # a thread lets go of what it made a moment after it says so
        while any(rows() is not None for rows in made) and time.monotonic() < until:
            time.sleep(0.01)
        assert [rows() for rows in made] == [None, None]
    finally:
        gc.enable()
