"""Machines that share a stage notice when one of them has ended: each process counts up in the launcher's store, and looks at the others.

On one machine the launcher itself ends all processes when one fails; it does not see those of another machine, for which a process that
waits for their files would wait forever, and the launcher for five minutes after its own processes have finished.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

BEAT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0  # without a beat, before a machine counts as ended
_FINISHED_SECONDS = 0.5  # between beats while a process waits for the others to finish
WORKING, FINISHED, STOPPED = "working", "finished", "stopped"


class Store(Protocol):
    """What is used of torch.distributed.TCPStore; it raises RuntimeError where the machine that holds it has ended."""

    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str) -> bytes: ...
    def check(self, keys: list[str]) -> bool: ...


class Watch:
    """What process number `own` knows of the processes of other machines; others: the machine of each."""

    def __init__(self, store: Store, own: int, others: dict[int, int], clock: Callable[[], float] = time.monotonic):
        self._store, self._own, self._others, self._clock, self._beats = store, own, others, clock, 0
        self._seen = {process: ("", clock()) for process in others}
        self._reached = clock()  # when the store was, last
        self.state = WORKING

    @property
    def all_finished(self) -> bool:
        """Whether this process and those of the other machines have finished their parts, as far as was seen."""
        return self.state == FINISHED and all(said.startswith(FINISHED) for said, _ in self._seen.values())

    def beat(self) -> str | None:
        """Count up, and say which machine has stopped, or has not counted for long; None: all are at work, or have finished."""
        now = self._clock()
        try:
            self._beats += 1
            self._store.set(_key(self._own), f"{self.state} {self._beats}")
            for process in self._others:
                said = self._store.get(_key(process)).decode() if self._store.check([_key(process)]) else ""
                if said != self._seen[process][0]:
                    self._seen[process] = said, now
            self._reached = now
        except RuntimeError:  # the store is on machine 0, which leaves when all have finished
            if self.state == FINISHED:
                self._seen = {process: (FINISHED, now) for process in self._others}
            return _gone(0) if self.state != FINISHED and now - self._reached > PATIENCE_SECONDS else None
        if self.all_finished:
            return None
        for process, (said, since) in self._seen.items():
            if said.startswith(STOPPED):
                return f"machine {self._others[process]} has stopped: its own message is on its screen"
            if now - since > PATIENCE_SECONDS:
                return _gone(self._others[process])
        return None

    def stop(self) -> None:
        """Say that this process ends without having finished."""
        self.state = STOPPED
        try:
            self._store.set(_key(self._own), STOPPED)
        except RuntimeError:
            pass


@contextmanager
def watched(refusal: str | None) -> Iterator[Callable[[], None]]:
    """Watch the other machines within the block; this process is ended, and with it its machine's part, where one of them has ended.

    refusal  the file that tells the launching process that this was no fault of ours
    Yields what is to be called when this process's part is whole: it waits until those of the other machines are. A block that ends
    without it tells the others to stop. On one machine nothing is watched, and nothing waited for.
    """
    rank, group, machines, each = (
        int(os.environ.get(name, "1")) for name in ("RANK", "GROUP_RANK", "GROUP_WORLD_SIZE", "LOCAL_WORLD_SIZE")
    )
    if machines < 2:
        yield lambda: None
        return
    watches: list[Watch] = []
    finished, over = threading.Event(), threading.Event()

    def follow() -> str | None:
        try:
            store = _connect()
        except RuntimeError:
            return _gone(0)
        watches.append(watch := Watch(store, rank, {other: other // each for other in range(machines * each) if other // each != group}))
        while (ended := watch.beat()) is None and not watch.all_finished:
            if finished.wait(BEAT_SECONDS):
                watch.state = FINISHED
                time.sleep(_FINISHED_SECONDS)
        return ended

    def work() -> None:
        if (ended := follow()) is not None:
            print(f"error: {ended}\n  next:  the same command again on every machine: finished work is kept", file=sys.stderr, flush=True)
            if refusal is not None:
                Path(refusal).touch()
            os._exit(2)
        over.set()

    def finish() -> None:
        finished.set()
        over.wait()

    threading.Thread(target=work, name="watch_machines", daemon=True).start()
    try:
        yield finish
    finally:
        if not over.is_set():
            for watch in watches:
                watch.stop()


def _connect() -> Store:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch re-exports it without saying so

    address, patience = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])), timedelta(seconds=PATIENCE_SECONDS)
    return TCPStore(*address, is_master=False, wait_for_workers=False, timeout=patience)


def _gone(machine: int) -> str:
    return f"machine {machine} has ended, or cannot be reached"


def _key(process: int) -> str:
    return f"landmarks/process/{process}"
