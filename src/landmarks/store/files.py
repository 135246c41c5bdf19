"""Files that appear under their final name only when complete."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from landmarks.command import next_command
from landmarks.errors import UserError
from landmarks.reading import require_regular
from landmarks.store.disk import no_room
from landmarks.store.json_files import all_writable
from landmarks.store.npy import load_npy

if TYPE_CHECKING:
    from PIL.Image import Image

PART = ".part"  # ends the name of a file that is being written
_HOST = socket.gethostname().replace(".", "-")
_DAY = 86400


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it is renamed to `path` when the block succeeds, and deleted otherwise.

    durable  the file is on the disk before it gets its name, and the name before this returns: a power cut leaves the old file or the
             new one. False for pictures by the thousand, each of which costs milliseconds: their stage syncs once, before it finishes.
    Raises UserError where the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}{PART}")
        try:
            yield aside
            if durable:
                sync(aside)
            os.replace(aside, path)
            if durable:
                with suppress(OSError):  # of a file system that cannot do this for folders
                    sync(path.parent)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        full = no_room(error, path)
        if full is None:
            raise
        raise full from error


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sweep(folder: Path, *, deep: bool = False) -> None:
    """Delete what `atomic_write` left in `folder` where it was killed.

    deep  also in the folders below, and whoever wrote it: for a folder that only one process at a time writes to. Otherwise those
          stay whose process lives, or is on another machine and wrote within the last day.
    """
    for path in folder.rglob(f".*{PART}") if deep else folder.glob(f".*{PART}"):
        if deep or not _in_use(path):
            path.unlink(missing_ok=True)


def _in_use(path: Path) -> bool:
    *_, host, pid = path.name.removesuffix(PART).split(".")
    try:
        if host == _HOST:
            return pid.isdigit() and is_running(int(pid))
        return time.time() - path.stat().st_mtime < _DAY
    except FileNotFoundError:
        return False


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def copy_file(source: str | Path, target: str | Path) -> str:
    """Copy one file with its times; returns the target. Raises as `open_regular` does, and UserError where the disk is full."""
    require_regular(source)
    try:
        return str(shutil.copy2(source, target))
    except OSError as error:  # it names the source, and copytree gathers such errors without their numbers
        full = no_room(error, Path(target))
        if full is None:
            raise
        raise full from error


def link_file(source: Path, target: Path) -> bool:
    """Give a file a second name, a hard link, which takes no disk. False where it cannot have one: nothing is there then."""
    try:
        with atomic_write(target) as aside:
            os.link(source, aside)
    except OSError:  # of a file system without hard links, or on another one
        return False
    return True


def has_links(folder: Path) -> bool:
    """Whether the file system of this folder, which is there, has hard links."""
    file, link = (folder / f".{name}.{_HOST}.{os.getpid()}{PART}" for name in ("file", "link"))
    try:
        file.touch()
        return link_file(file, link)
    except OSError:
        return False
    finally:
        for path in (file, link):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, with a final newline; names that are not UTF-8 are escaped (json_files.py)."""
    write_text(path, json.dumps(all_writable(value), indent=2, ensure_ascii=False) + "\n")


class _Writer(NamedTuple):
    """Not a file to NumPy, which hands a file to C and does not see when that cannot write the last few kilobytes."""

    write: Callable[[bytes], int]


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one .npy file."""
    with atomic_write(path) as aside, open(aside, "wb") as file:
        np.save(_Writer(file.write), array, allow_pickle=False)


def write_jpeg(path: Path, picture: Image, quality: int, *, durable: bool = True) -> None:
    """Write a picture. In memory first: of a write that ends early, on a full disk, Pillow says nothing."""
    encoded = BytesIO()
    picture.save(encoded, "JPEG", quality=quality)
    with atomic_write(path, durable=durable) as aside:
        aside.write_bytes(encoded.getbuffer())


def read_array(path: Path, *, mapped: bool = False) -> np.ndarray:
    """Read one .npy file, or map it into memory read-only; in native byte order.

    Raises UserError where it is missing, cut off, or holds pickled objects.
    """
    try:
        return load_npy(path, mapped=mapped)
    except FileNotFoundError:
        raise UserError("missing file", where=path, next=f"check dataset.folder, or {next_command('run')}") from None
    except ValueError as error:
        raise UserError(f"not a whole .npy file of numbers: {error}", where=path, next="write it again with numpy.save") from None
