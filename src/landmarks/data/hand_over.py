"""How loading processes hand pictures over: through shared memory, and through a pipe where that is small or full."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info

from landmarks.data.ahead import shared_memory_needed
from landmarks.lifeline import interrupts_held
from landmarks.machine import SHARED_MEMORY, allow_open_files, free_shared_memory, is_first_process, through_pipes
from landmarks.progress import say
from landmarks.quantities import format_bytes

Item = TypeVar("Item")
_SEMAPHORES = 16, 4  # that a loader takes, and each of its processes: each is a page of shared memory
_said: set[str] = set()


def is_shared_memory_enough(waiting: float) -> bool:
    """Whether batches can wait in shared memory; says so, once, where they cannot. waiting: bytes of those of this process, at most."""
    free, needed = free_shared_memory() or 0, shared_memory_needed(waiting)
    if free < needed and is_first_process():
        found = f"{format_bytes(free)} free in {SHARED_MEMORY} of the {format_bytes(needed)} for pictures that wait"
        _say_once("small", f"{found}: {through_pipes(needed)}")
    return free >= needed


def handed_over(pixels: torch.Tensor, shared: bool) -> torch.Tensor | np.ndarray:
    """What a loading process returns for them: a tensor in shared memory, or an array, which goes through a pipe.

    The memory is asked for here, where an error can still be answered: in the thread that writes to the pipe the batch would be lost,
    and whoever waits for it would wait forever.
    """
    if get_worker_info() is None:
        return pixels
    try:
        return pixels.share_memory_() if shared else pixels.numpy()
    except RuntimeError:  # another program has filled it
        return pixels.numpy()


def started(loader: Callable[[int], DataLoader[Item]], workers: int) -> Iterator[Item]:
    """The items of `loader(workers)`, whose processes are started at once; of `loader(0)`, which has none, where none can be started."""
    if workers and not _can_start(workers):
        workers = 0
        if is_first_process():
            _say_once("full", f"{SHARED_MEMORY} is full or missing, so no loading process can be started: this one loads, which is slow")
    if workers:
        allow_open_files()
    with interrupts_held():  # from the processes
        return iter(loader(workers))


def _can_start(workers: int) -> bool:
    try:
        _ = [multiprocessing.Semaphore() for _ in range(_SEMAPHORES[0] + _SEMAPHORES[1] * workers)]
    except OSError:
        return False
    return True


def _say_once(what: str, words: str) -> None:
    """For all splits and models of a run; the bytes that are free change meanwhile."""
    if what not in _said:
        _said.add(what)
        say(words)
