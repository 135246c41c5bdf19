"""Which pictures are loaded together, and the processes that load them ahead of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from landmarks.data.ahead import EXTRACTION, extraction_waits
from landmarks.data.extract_set import Batch, ExtractSet, Loaded
from landmarks.data.hand_over import handed_over, is_shared_memory_enough, started
from landmarks.lifeline import cancelled_on_error, start_loader_process
from landmarks.ops.area import load_kernels

Shape = tuple[int, int]
_HEADERS = 256  # files whose headers are read together, by so many threads:
_THREADS = 8


def planned_batches(shapes: Iterable[Shape | None], shards: Sequence[int], images: Callable[[Shape], int]) -> Iterator[list[int]]:
    """Positions 0, 1, ... in batches of one shape, each once.

    Batches are filled across the borders of shards; but what is left of a shard when the next one ends is not kept waiting longer, so
    that a run that is cut off loses two shards at most.

    shapes  of the pictures in their order; None: unreadable, which is found out alone
    shards  the number of pictures of each
    images  of a shape in a batch; asked for each batch anew
    """
    waiting: dict[Shape, list[int]] = {}
    ends = np.cumsum([0, *shards]).tolist()
    shard = 0
    for position, shape in enumerate(shapes):
        while position >= ends[shard + 1]:
            yield from _older(waiting, ends[shard])
            shard += 1
        if shape is None:
            yield [position]
            continue
        group = waiting.setdefault(shape, [])
        group.append(position)
        if len(group) >= images(shape):
            yield waiting.pop(shape)
    yield from waiting.values()


def _older(waiting: dict[Shape, list[int]], position: int) -> Iterator[list[int]]:
    for shape in [shape for shape, group in waiting.items() if group[0] < position]:
        yield waiting.pop(shape)


def load_ahead(
    pictures: ExtractSet, shards: Sequence[int], images: Callable[[Shape], int], workers: int, *, pinned: bool = False
) -> Iterator[Loaded]:
    """All pictures in the batches of `planned_batches`, loaded by `workers` processes (0: by this one).

    pinned  in memory that a GPU copies from by itself
    """
    side = pictures.longest_side
    shared = workers == 0 or is_shared_memory_enough(extraction_waits(side, images((side, side)), workers))
    load_kernels()

    def loader(processes: int) -> DataLoader[Loaded]:
        return DataLoader(
            pictures,
            batch_size=None,
            sampler=_Plan(pictures, shards, images),
            num_workers=processes,
            collate_fn=partial(_handed_over, shared=shared),
            prefetch_factor=EXTRACTION if processes else None,
            pin_memory=pinned,
            worker_init_fn=start_loader_process,
        )

    return map(_as_tensors, started(loader, workers))


class _Plan:
    """The batches as a sampler, which DataLoader goes through once its processes have been started."""

    def __init__(self, pictures: ExtractSet, shards: Sequence[int], images: Callable[[Shape], int]):
        self._pictures, self._shards, self._images = pictures, shards, images

    def __iter__(self) -> Iterator[list[int]]:
        return planned_batches(_in_threads(self._pictures.shape, len(self._pictures)), self._shards, self._images)


def _in_threads(function: Callable[[int], Shape | None], count: int) -> Iterator[Shape | None]:
    """function(0), function(1), ..., computed ahead: each reads the first bytes of a file, on disks that take their time."""
    with cancelled_on_error(ThreadPoolExecutor(_THREADS)) as pool:
        waiting: deque[list[Future]] = deque()
        for start in range(0, count, _HEADERS):
            waiting.append([pool.submit(function, position) for position in range(start, min(start + _HEADERS, count))])
            if len(waiting) > 2:
                yield from (one.result() for one in waiting.popleft())
        for block in waiting:
            yield from (one.result() for one in block)


def _handed_over(loaded: Loaded, shared: bool) -> Any:
    batches: list[Any] = [(one[0], handed_over(one.pixels, shared), *one[2:]) for one in loaded.batches]
    return loaded._replace(batches=batches)


def _as_tensors(loaded: Loaded) -> Loaded:
    return loaded._replace(batches=[Batch(batch[0], torch.as_tensor(batch[1]), *batch[2:]) for batch in loaded.batches])


def copied_ahead(batches: Iterable[Loaded], device: torch.device) -> Iterator[Loaded]:
    """The same, pixels on the device, copied while the network computes the pictures before."""
    if device.type != "cuda":
        yield from batches
        return
    stream, copying = torch.cuda.Stream(device), None
    for loaded in batches:
        with torch.cuda.stream(stream):
            moved = loaded._replace(batches=[batch._replace(pixels=batch.pixels.to(device, non_blocking=True)) for batch in loaded.batches])
            done = stream.record_event()
        if copying is not None:
            yield _copied(*copying, device)
        copying = moved, done
    if copying is not None:
        yield _copied(*copying, device)


def _copied(loaded: Loaded, done: torch.cuda.Event, device: torch.device) -> Loaded:
    computing = torch.cuda.current_stream(device)
    computing.wait_event(done)
    for batch in loaded.batches:
        batch.pixels.record_stream(computing)  # its memory is not used again before the network has read it
    return loaded
