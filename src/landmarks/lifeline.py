"""Processes end together: one that is ended by a signal ends in order, and the processes that it started end after it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from landmarks.machine import is_launched, keep_freed_memory

_POLL_SECONDS = 0.5
_END_SECONDS = 10  # for a process to end after SIGTERM, before it is killed
_PARENT = "LANDMARKS_PARENT_PID"  # names the process that a started process must not outlive
_PLAIN_END = 128 + signal.SIGTERM

_Pool = TypeVar("_Pool", bound=Executor)


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised in the main thread like Ctrl-C; `exit_code` is what a shell gives a process that such a signal ended."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise `Ended`: open files are closed and temporary ones removed. Also a decorator.

    A signal that is ignored (nohup) stays ignored, and one that has a handler keeps it. Nothing changes in another than the main
    thread, and in a process that `launch` or Accelerate started: those must end at once, even where they wait for each other.
    """
    if is_launched() or threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
    numbers = [number for name in names if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL]
    before = {number: signal.signal(number, _raise_ended) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_ended(number: int, frame: FrameType | None) -> None:
    # What stops in the meantime must not disturb the end: a second signal (`timeout` sends two), and torch's handler, which raises
    # for a loading process that the same signal has ended.
    for name in ("SIGTERM", "SIGHUP", "SIGCHLD"):
        other = getattr(signal, name, None)
        if other is not None and callable(signal.getsignal(other)):
            signal.signal(other, _pass)
    raise Ended(number)


def _pass(number: int, frame: FrameType | None) -> None:
    pass


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block; processes that are started within it never notice it, not even while they start."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cancelled_on_error(pool: _Pool) -> Iterator[_Pool]:
    """The pool, for a `with`: an error or an interruption in the block cancels what has not begun, and waits only for the rest."""
    with pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def environment_of_child() -> dict[str, str]:
    """The environment for a process that calls `watch_parent` and is to end with this one."""
    return os.environ | {_PARENT: str(os.getpid())}


def watch_parent() -> None:
    """End this process, at once and without cleaning up, within a second of the end of the process that started it.

    Nothing on Windows, which does not report that a parent has ended.
    """
    if os.name != "posix":
        return
    expected, parent = int(os.environ.pop(_PARENT, "0")), os.getppid()

    def watch() -> None:
        # The expected parent may have ended before this process looked for the first time.
        while os.getppid() == parent and (expected in (0, parent) or _exists(expected)):
            time.sleep(_POLL_SECONDS)
        os._exit(_PLAIN_END)

    threading.Thread(target=watch, name="watch_parent", daemon=True).start()


def start_pool_process() -> None:
    """For a process of a pool: Ctrl-C is its parent's to handle, other signals end it, and so does the end of its parent."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is _raise_ended:  # inherited by a fork
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
    from multiprocessing import parent_process

    # What is there names the parent's parent. The parent itself may have ended before this process looks.
    starter = parent_process()
    os.environ[_PARENT] = str(0 if starter is None else starter.pid)
    watch_parent()


def start_loader_process(number: int) -> None:
    """`start_pool_process`, as the worker_init_fn of a DataLoader; each picture takes memory of the one before."""
    start_pool_process()
    keep_freed_memory()


def run_to_end(command: list[str], environment: dict[str, str]) -> int:
    """The exit code of a command that is ended, and waited for, where this process is interrupted.

    It gets a session of its own, so that Ctrl-C in a terminal reaches this process alone, which passes it on.
    """
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except BaseException:  # too slow, or interrupted once more
            process.kill()
            process.wait()
            time.sleep(2 * _POLL_SECONDS)  # its own processes notice by themselves
            raise
        raise


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
