"""Machines that share a stage notice when one of them has ended: each process counts up in the launcher's store and looks at the others.

On one machine the launcher itself ends all processes when one fails; it does not see those of another machine, for which a process that
waits for their files would wait forever, and the launcher for five minutes after its own processes have finished.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

BEAT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0  # without a beat, before a machine counts as ended
_FINISHED_SECONDS = 0.5  # between beats while a process waits for the others to finish
_LEAVING_SECONDS = 5.0  # at most, to tell the others that this process stops
_FAILED_BEATS = 3  # in a row, after which the store counts as lost: its client does not connect again
WORKING, FINISHED, STOPPED = "working", "finished", "stopped"


class Store(Protocol):
    """What is used of torch.distributed.TCPStore; it raises RuntimeError where the machine that holds it has ended."""

    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str) -> bytes: ...
    def check(self, keys: list[str]) -> bool: ...


class Watch:
    """What process number `own` of `processes`, on machine number `machine`, knows of the others."""

    def __init__(self, store: Store, own: int, machine: int, processes: int, clock: Callable[[], float] = time.monotonic):
        self._store, self._own, self._machine, self._clock, self._beats = store, own, machine, clock, 0
        self._seen = {process: ("", clock()) for process in range(processes) if process != own}  # what it said, since when
        self._failed = 0  # beats, since the store was reached
        self.state = WORKING

    @property
    def all_finished(self) -> bool:
        """Whether this process and the others have finished their parts, as far as was seen."""
        return self.state == FINISHED and all(said.startswith(FINISHED) for said, _ in self._seen.values())

    def beat(self) -> str | None:
        """Count up, and say which machine has stopped, or has not counted for long; None: all are at work, or have finished."""
        now = self._clock()
        try:
            self._say()
            for process in self._seen:
                said = self._store.get(_key(process)).decode() if self._store.check([_key(process)]) else ""
                if said != self._seen[process][0]:
                    self._seen[process] = said, now
            self._failed = 0
        except RuntimeError:  # the store is on machine 0, whose launcher leaves when those of all machines are there
            self._failed += 1
        if self.all_finished:
            return None
        if self._failed:
            return _gone("machine 0") if self._failed >= _FAILED_BEATS else None
        for said, since in self._seen.values():
            machine = f"machine {said.split()[-1]}" if said else "another machine"
            if said.startswith(STOPPED):
                return f"{machine} has stopped: its own message is on its screen"
            if now - since > PATIENCE_SECONDS:
                return _gone(machine)
        return None

    def stop(self) -> None:
        """Say that this process ends without having finished."""
        self.state = STOPPED
        with suppress(RuntimeError):
            self._say()

    def _say(self) -> None:
        self._beats += 1
        self._store.set(_key(self._own), f"{self.state} {self._beats} {self._machine}")


@contextmanager
def watched(refusal: str | None) -> Iterator[Callable[[], None]]:
    """Watch the other machines within the block; this process is ended, and with it its machine's part, where one of them has ended.

    refusal  the file that tells the launching process that this was no fault of ours
    Yields what is to be called when this process's part is whole: it waits until those of the other machines are. A block that ends
    without it tells the others to stop. On one machine nothing is watched, and nothing waited for.
    """
    if int(os.environ.get("GROUP_WORLD_SIZE", "1")) < 2:
        yield lambda: None
        return
    rank, machine, processes = (int(os.environ[name]) for name in ("RANK", "GROUP_RANK", "WORLD_SIZE"))
    watches: list[Watch] = []
    finished, over = threading.Event(), threading.Event()

    def follow() -> str | None:
        try:
            store = _connect()
        except RuntimeError:
            return _gone("machine 0")
        watches.append(watch := Watch(store, rank, machine, processes))
        while (ended := _answered(watch.beat, PATIENCE_SECONDS)) is None and not watch.all_finished:
            if finished.wait(BEAT_SECONDS):
                watch.state = FINISHED
                over.wait(_FINISHED_SECONDS)
            if over.is_set():
                break
        return ended

    def work() -> None:
        try:
            if (ended := follow()) is not None and not over.is_set():
                said = f"error: {ended}\n  next:  the same command again on every machine: finished work is kept"
                print(said, file=sys.stderr, flush=True)
                if refusal is not None:
                    Path(refusal).touch()
                os._exit(2)
        finally:
            over.set()

    def finish() -> None:
        finished.set()
        over.wait()

    thread = threading.Thread(target=work, name="watch_machines", daemon=True)
    thread.start()
    try:
        yield finish
    finally:
        if not over.is_set():
            over.set()
            finished.set()
            thread.join(_LEAVING_SECONDS)  # from here on it says nothing, and ends nothing
            for watch in watches:
                _answered(watch.stop, _LEAVING_SECONDS)


def _answered(ask: Callable[[], str | None], seconds: float) -> str | None:
    """What it returns; that machine 0 is gone where it takes longer: a store that cannot be reached any more can block for ever."""
    answers: list[str | None] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), name="ask_machines", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else _gone("machine 0")


def _connect() -> Store:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch re-exports it without saying so

    address, patience = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])), timedelta(seconds=PATIENCE_SECONDS)
    return TCPStore(*address, is_master=False, wait_for_workers=False, timeout=patience)


def _gone(machine: str) -> str:
    return f"{machine} has ended, or cannot be reached"


def _key(process: int) -> str:
    return f"landmarks/process/{process}"
