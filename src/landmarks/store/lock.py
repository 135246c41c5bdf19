"""One process at a time makes a folder: a lock file in it, which the system releases when its holders end, even if they are killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from landmarks.command import command_line
from landmarks.errors import UserError
from landmarks.reading import read_text, refuse_irregular
from landmarks.store.json_files import parse_json

LOCK = ".lock"
_PATIENCE = 5.0  # seconds that those who hold it are given to end: processes of a run that was just killed
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)

_held: dict[Path, int] = {}  # folder -> descriptor of its lock file; by folder, since several objects stand for one folder


def hold(folder: Path, *, shared: bool = False) -> None:
    """Hold the folder's lock until `release`, or until this process ends. A process that holds it already keeps it.

    shared  for the other processes of a run whose first process holds it: they write to the folder too, and a lock that its first
            process left by being killed is still theirs
    Record locks (fcntl) are used: they belong to a process, not to what it starts, and NFS passes them on to all its clients where its
    lock service runs. On a file system without locks there is none, and two runs at once are not noticed.
    Raises UserError that names who holds it.
    """
    folder = folder.resolve()
    if folder in _held:
        if _is_same(_held[folder], folder / LOCK):
            return
        os.close(_held.pop(folder))  # the folder was deleted and made again
    folder.mkdir(parents=True, exist_ok=True)
    path, began = folder / LOCK, time.monotonic()
    while True:
        refuse_irregular(path)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in _UNSUPPORTED:
                return
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            if time.monotonic() - began > _PATIENCE:
                raise _taken(path) from None
            time.sleep(0.1)
            continue
        if _is_same(file, path):
            break
        os.close(file)  # its last holder deleted it in between: that one guards nothing any more
    if not shared:
        os.ftruncate(file, 0)
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": command_line(),
            "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        }
        os.pwrite(file, json.dumps(owner).encode(), 0)
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # so that the other processes of this run can hold it too
    _held[folder] = file


def release(folder: Path) -> None:
    """Delete the lock file and let go of it."""
    file = _held.pop(folder.resolve(), None)
    if file is not None:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(file)


def let_go() -> None:
    """Let go of every folder, of a stage that failed; the lock files are deleted where no other process of the run holds them."""
    while _held:
        folder, file = _held.popitem()
        _delete_unless_shared(folder / LOCK, file)
        os.close(file)


def tidy(folder: Path) -> None:
    """Delete the lock file of a folder that was finished, and whose maker was killed before it could; not one that is held."""
    folder = folder.resolve()
    if folder in _held or not (folder / LOCK).exists():
        return
    with suppress(OSError):  # the disk is read-only
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
        _delete_unless_shared(folder / LOCK, file)
        os.close(file)


def _delete_unless_shared(path: Path, file: int) -> None:
    with suppress(OSError):  # another process holds it, or the disk is read-only
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_same(file, path):
            path.unlink()


def _is_same(file: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _taken(path: Path) -> UserError:
    try:
        owner = parse_json(read_text(path))
        who = f"process {owner['pid']} on {owner['host']} ({owner['command']}), since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        who = "another process"
    return UserError(
        f"being made by {who}", where=path.parent, next="wait until it is done or stop it; or run.folder=ANOTHER for a run beside it"
    )
