"""The processes that share a stage: they divide parts of the work by number, and see each other's files in a folder that all share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState

from landmarks.progress import say

Part = TypeVar("Part")
_WAITING_SECONDS = 10  # until a process reports what it is waiting for
PATIENCE = timedelta(days=7)  # for processes that are slower; those that have ended are noticed otherwise (launched.py, machines.py)


@dataclass(frozen=True)
class Processes:
    """This process, number `index` of `count`; alone unless a launcher started it."""

    index: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process prints, and writes what there is one of."""
        return self.index == 0

    def own(self, parts: Sequence[Part]) -> Sequence[Part]:
        """This process's share: part n belongs to process n modulo their number."""
        return parts[self.index :: self.count]

    def meet(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            PartialState().wait_for_everyone()

    def first_alone(self, work: Callable[[], object]) -> None:
        """The first process does it, the others wait for it."""
        if self.first:
            work()
        self.meet()

    def wait_for(self, paths: Sequence[Path], what: str) -> None:
        """Wait until all these files exist, wherever they are made."""
        began, reported = time.monotonic(), False
        while missing := [path for path in paths if not path.exists()]:
            if not reported and time.monotonic() - began > _WAITING_SECONDS and self.first:
                say(f"waiting for {what}: {len(missing)} missing, first {missing[0]}")
                reported = True
            time.sleep(0.2)


def all_processes(device: torch.device) -> Processes:
    """Those that a launcher started, which talk to each other from here on; device: where they compute."""
    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    return Processes(state.process_index, state.num_processes)
