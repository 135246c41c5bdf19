"""What is raised where the machine fell short, not the program: of memory, or of a process that the system killed."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from landmarks.command import next_command
from landmarks.errors import UserError
from landmarks.machine import more_shared_memory

_WORKER = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: ([\w ]+)|exited unexpectedly)")
_BUS_ERROR = "Bus error"
_FROM_OUTSIDE = ("SIGKILL", "SIGBUS", "SIGTERM", "SIGINT", "SIGHUP")  # others are a fault of what runs in the process
_LOADING = "train.workers, extract.workers"
_NO_FILES = "Too many open files"
_NO_HOST_MEMORY = "can't allocate memory"  # torch's words for the machine's own memory


@contextmanager
def shortages_named() -> Iterator[None]:
    """Within the block such an error, of work that could not have been done in smaller parts, becomes a UserError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        short = _as_shortage(error)
        if short is None:
            raise
        raise short from error


def ended_from_outside(who: str, code: int, fewer: str) -> UserError | None:
    """The message for a process with this exit code, -n or 128 + n for the signal n; None where nobody ended it from outside.

    who, fewer  words: which process; what takes less memory
    """
    number = -code if code < 0 else code - 128
    if number not in {getattr(signal, name) for name in _FROM_OUTSIDE if hasattr(signal, name)}:
        return None
    return _ended(who, signal.strsignal(number), fewer)


def _as_shortage(error: MemoryError | RuntimeError) -> UserError | None:
    if isinstance(error, MemoryError) or _NO_HOST_MEMORY in str(error):
        return UserError(
            f"this machine's memory is not enough ({_line(error)})", next=f"{next_command('doctor')}  (what this configuration needs)"
        )
    if _NO_FILES in str(error):
        return UserError(
            "the system allows this process too few open files for its loading processes",
            next="ulimit -n 65536 before the same command, or fewer loading processes (train.workers, extract.workers)",
        )
    found = _WORKER.search(str(error))
    if found is not None:  # the signal is said by this error, or by the one behind it
        by = found if found[1] else _WORKER.search(str(error.__cause__ or error.__context__))
        return _ended("a process that loads pictures", by and by[1], f"fewer of them ({_LOADING})")
    pools = sys.modules.get("concurrent.futures.process")
    if pools is not None and isinstance(error, pools.BrokenProcessPool):
        return _ended("one of several processes", None, "fewer cores, each of which has one (taskset -c 0,1 before it)")
    if "torch" in sys.modules:
        from landmarks.cuda import is_out_of_memory

        if is_out_of_memory(error):
            return UserError(
                f"the GPU's memory is not enough ({_line(error)})",
                next="the same command without another program on the GPU (nvidia-smi lists them), or with run.device=cpu",
            )
    return None


def _ended(who: str, by: str | None, fewer: str) -> UserError:
    """by: the signal's name, as the system has it; None: unknown."""
    how = f"by the signal {by.strip()}" if by else "without a word"
    if by is not None and by.startswith(_BUS_ERROR):
        remedy = f"more of /dev/shm ({more_shared_memory()}), or fewer loading processes ({_LOADING})"
    else:
        remedy = f"the same command; with {fewer} where the memory was not enough (dmesg says so)"
    return UserError(f"{who} was ended {how}", next=f"{remedy}: finished work is kept")


def _line(error: MemoryError | RuntimeError) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
