"""Pictures described on the cores of a CPU, one picture a core, or on several cards of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
import torch

from landmarks.data.extract_set import Batch
from landmarks.device import computing
from landmarks.extraction.processor import Processor
from landmarks.lifeline import cancelled_on_error
from landmarks.ops.local_features import LocalFeatures


class Computed(NamedTuple):
    """What a network makes of a batch; a GPU may still be at it, until it is read.

    descriptors  (n, dimensions) float32 on the device, None where they were not asked for
    local        gives the local features of each picture in stored form
    """

    descriptors: torch.Tensor | None
    local: Callable[[], list[LocalFeatures]]


Compute = Callable[[Batch], Computed]


def each_on_one_core(compute: Compute, processor: Processor, *, first_alone: bool = False) -> Compute:
    """On a CPU: as `compute`, but one picture at a time on each of torch's threads. On a GPU: `compute`.

    Torch adds in another order with another number of threads or pictures. So each picture is computed alone and by one thread: its
    result does not depend on the threads, the batch or the other processes, and nothing waits for the slowest of several cores.

    first_alone  the first picture of a batch before the others: a model with a local branch finds the receptive fields of a new size
                 with its parameters replaced for a moment, and keeps them for the pictures of that size
    """
    if processor.device.type != "cpu":
        return compute

    def computed(batch: Batch) -> Computed:
        threads, alone = torch.get_num_threads(), [batch.part(slice(row, row + 1)) for row in range(len(batch.positions))]
        workers = ThreadPoolExecutor(min(threads, len(alone)), initializer=torch.set_num_threads, initargs=(1,))
        try:
            # `computing` here as well as in the threads: it sets and restores what belongs to the whole process.
            with computing(processor.precision, processor.device), cancelled_on_error(workers) as pool:
                parts = [pool.submit(compute, one).result() for one in alone[:first_alone]]
                parts += pool.map(compute, alone[first_alone:])
                rows = [part.descriptors for part in parts if part.descriptors is not None]
                return Computed(torch.cat(rows) if rows else None, lambda: [one for part in parts for one in part.local()])
        finally:
            torch.set_num_threads(threads)

    return computed


def divided(computes: Sequence[Compute]) -> Compute:
    """Each batch in as many parts, which these compute at the same time; descriptors are on the device of the first.

    The error of a part is raised once nothing computes any more: a smaller batch that is tried then has the memory to itself.
    """
    pool = ThreadPoolExecutor(len(computes))

    def computed(batch: Batch) -> Computed:
        shares = np.array_split(np.arange(len(batch.positions)), len(computes))
        parts = [batch.part(slice(rows[0], rows[-1] + 1)) for rows in shares if len(rows)]
        running = [pool.submit(compute, part) for compute, part in zip(computes, parts, strict=False)]
        wait(running)
        # Popped: an error whose future this frame still held would be a cycle, and keep the memory of the other parts.
        results = [running.pop(0).result() for _ in parts]
        found = [one.descriptors for one in results if one.descriptors is not None]
        rows = torch.cat([one.to(found[0].device) for one in found]) if found else None
        return Computed(rows, lambda: [features for one in results for features in one.local()])

    return computed
