"""Pictures described on the cores of a CPU, one picture a core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from landmarks.data.extract_set import Picture
from landmarks.device import computing
from landmarks.extraction.processor import Processor
from landmarks.lifeline import cancelled_on_error
from landmarks.ops.local_features import LocalFeatures

# Pictures of one shape -> descriptors (n, dimensions) float32, kept on the device; local features of each picture in stored form.
Compute = Callable[[list[Picture]], tuple[torch.Tensor | None, list[LocalFeatures]]]


def each_on_one_core(compute: Compute, processor: Processor, *, first_alone: bool = False) -> Compute:
    """On a CPU: as `compute`, but one picture at a time on each of torch's threads. On a GPU: `compute`.

    Torch adds in another order with another number of threads or pictures. So each picture is computed alone and by one thread: its
    result does not depend on the threads, the batch or the other processes, and nothing waits for the slowest of several cores.

    first_alone  the first picture of a batch before the others: a model with a local branch finds the receptive fields of a new size
                 with its parameters replaced for a moment, and keeps them for the pictures of that size
    """
    if processor.device.type != "cpu":
        return compute

    def computed(pictures: list[Picture]) -> tuple[torch.Tensor | None, list[LocalFeatures]]:
        threads = torch.get_num_threads()
        workers = ThreadPoolExecutor(min(threads, len(pictures)), initializer=torch.set_num_threads, initargs=(1,))
        try:
            # `computing` here as well as in the threads: it sets and restores what belongs to the whole process.
            with computing(processor.precision, processor.device), cancelled_on_error(workers) as pool:
                parts = [pool.submit(compute, [picture]).result() for picture in pictures[:first_alone]]
                parts += pool.map(lambda picture: compute([picture]), pictures[first_alone:])
                rows = [row for row, _ in parts if row is not None]
                return torch.cat(rows) if rows else None, [one for _, found in parts for one in found]
        finally:
            torch.set_num_threads(threads)

    return computed
