"""What a step costs: seconds without compilation, and the highest memory of the process meanwhile."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from numba.core import event


@dataclass
class Cost:
    """seconds of the block; peak_megabytes resident in this process while it ran."""

    seconds: float = 0.0
    peak_megabytes: float = 0.0


class _Compilation(event.Listener):
    """Seconds that numba spent compiling: once per machine, so not the step's own."""

    def __init__(self):
        self.seconds, self._depth, self._since = 0.0, 0, 0.0

    def on_start(self, event):
        if self._depth == 0:
            self._since = time.perf_counter()
        self._depth += 1

    def on_end(self, event):
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._since


@contextmanager
def measured() -> Iterator[Cost]:
    """A Cost that is filled in when the block ends."""
    cost, compilation = Cost(), _Compilation()
    forgotten = _forget_peak()
    started = time.perf_counter()
    with event.install_listener("numba:compile", compilation):
        yield cost
    cost.seconds = time.perf_counter() - started - compilation.seconds
    cost.peak_megabytes = round(_peak_megabytes(forgotten), 1)


def _forget_peak() -> bool:
    """Make Linux count the peak from now on; elsewhere the peak is that of the whole process so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_megabytes(since_forgotten: bool) -> float:
    if since_forgotten:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)
