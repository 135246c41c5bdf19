"""Machines that share a stage notice when one of them has ended: each counts up in the launcher's store, and looks at the others' counts.

On one machine the launcher itself ends all processes when one fails; it does not see those of another machine, for which a process that
waits for their files would wait forever.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

BEAT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0  # without a beat, before a machine counts as ended
DONE = "done"


class Store(Protocol):
    """What is used of torch.distributed.TCPStore; it raises RuntimeError where the machine that holds it has ended."""

    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str) -> bytes: ...
    def check(self, keys: list[str]) -> bool: ...


class Watch:
    """What machine number `own` of `machines` knows of the others."""

    def __init__(self, store: Store, own: int, machines: int, clock: Callable[[], float] = time.monotonic):
        self._store, self._own, self._clock, self._beats = store, own, clock, 0
        self._seen = {machine: ("", clock()) for machine in range(machines) if machine != own}

    def beat(self) -> str | None:
        """Count up, and say which machine has not counted for long; None: all are at work, or done."""
        now = self._clock()
        try:
            self._beats += 1
            self._store.set(_key(self._own), str(self._beats))
            for machine, (count, since) in self._seen.items():
                found = self._store.get(_key(machine)).decode() if self._store.check([_key(machine)]) else ""
                if found != count:
                    self._seen[machine] = found, now
                elif found != DONE and now - since > PATIENCE_SECONDS:
                    return f"machine {machine} has ended, or cannot be reached"
        except RuntimeError:  # the store is on machine 0, which may have finished just now: so is this one then, in a moment
            since = self._seen.get(0, (DONE, now))[1]
            return "machine 0 has ended, or cannot be reached" if now - since > PATIENCE_SECONDS else None
        return None

    def done(self) -> None:
        """Say that this machine has finished its part."""
        try:
            self._store.set(_key(self._own), DONE)
        except RuntimeError:
            pass


def watch_machines(refusal: str | None) -> None:
    """Watch the others, in the first process of each machine of several; end it, and with it this machine's part, where one has ended.

    refusal  the file that tells the launching process that this was no fault of ours
    """
    machines, own = (int(os.environ.get(name, default)) for name, default in (("GROUP_WORLD_SIZE", "1"), ("GROUP_RANK", "0")))
    if machines > 1 and os.environ.get("LOCAL_RANK") == "0":
        threading.Thread(target=_watch, args=(own, machines, refusal), name="watch_machines", daemon=True).start()


def _watch(own: int, machines: int, refusal: str | None) -> None:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch re-exports it without saying so

    patience = timedelta(seconds=PATIENCE_SECONDS)
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, wait_for_workers=False, timeout=patience)
    watch = Watch(store, own, machines)
    atexit.register(watch.done)
    while (ended := watch.beat()) is None:
        time.sleep(BEAT_SECONDS)
    print(f"error: {ended}\n  next:  the same command again on every machine: finished work is kept", file=sys.stderr, flush=True)
    if refusal is not None:
        Path(refusal).touch()
    os._exit(2)


def _key(machine: int) -> str:
    return f"landmarks/machine/{machine}"
