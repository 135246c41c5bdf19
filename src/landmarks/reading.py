"""Opens the files that others wrote: only regular ones, once links are followed, and only as much of them as is expected.

A FIFO waits for a writer that never comes, a device such as /dev/zero has no end. Either may be named in a table, lie in a folder of
photos, or be what a link leads to.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from landmarks.errors import UserError

TEXT_BYTES = 1 << 30  # of a text that is read in one piece: manifests name every photo of an import
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def open_regular(path: Path | str) -> BufferedReader:
    """Open a file for reading; links are followed.

    Raises FileNotFoundError and NotADirectoryError where there is none, and UserError for what is no regular file or cannot be opened.
    """
    try:
        _refuse_irregular(path, os.stat(path))  # before it is opened: opening a device can have effects
        # What was exchanged in between is opened without waiting, and looked at again.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from None
    try:
        _refuse_irregular(path, os.fstat(number))
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def require_regular(path: Path | str) -> None:
    """Raise as `open_regular` does, for libraries that open a file by its name."""
    open_regular(path).close()


def refuse_irregular(path: Path | str) -> None:
    """Raise UserError where something is at `path` that is no regular file, before it is opened to be written."""
    try:
        _refuse_irregular(path, os.stat(path))
    except FileNotFoundError:
        return


def read_bytes(path: Path | str, limit: int = TEXT_BYTES) -> bytes:
    """The content of a file of at most `limit` bytes. Raises as `open_regular`, and UserError for a larger file."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = b"" if size > limit else file.read(size)
            while len(data) <= limit and size <= limit and (more := file.read(1 << 16)):  # of one that grows, or says that it is empty
                data += more
        except OSError as error:
            raise _unreadable(path, error) from None
    if size > limit or len(data) > limit:
        raise UserError(f"more than {limit:,} bytes, which nothing of this kind has", where=path, next="name the right file")
    return data


def read_text(path: Path | str, limit: int = TEXT_BYTES) -> str:
    """The UTF-8 text of a file, line ends as they are. Raises as `read_bytes`, and UnicodeDecodeError."""
    return read_bytes(path, limit).decode("utf-8")


def _refuse_irregular(path: Path | str, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "something else")
        raise UserError(f"{kind}, not a file", where=path, next="put a regular file there, or remove it")


def _unreadable(path: Path | str, error: OSError | ValueError) -> UserError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UserError(f"cannot be read: {why}", where=path, next="check the file and its permissions")
