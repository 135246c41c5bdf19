"""What an archive says that it holds, checked before a byte of it is unpacked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from landmarks.errors import UserError

OWN_FOLDER = ".download"  # in the dataset folder: unfinished archives, and notes of finished items
MAX_GROWTH = 100  # unpacked size / archive size: about 1 for photos, 4 for tables of ids, 1000 for a zip bomb
_MAX_FILE = 1 << 40  # bytes of one file
_MAX_PART, _MAX_NAME, _MAX_DEPTH = 240, 1000, 40  # bytes of a name's part and of the name, and its folders: file systems end soon behind

_NO_PLAIN_PATH = re.compile(r"[\x00-\x1f\\]|(^|/)\.{0,2}(/|$)")  # absolute, "..", ".", an empty part, a backslash
_DRIVE = re.compile(r"[A-Za-z]:")
_UNTRUSTED = "delete it; do not trust where it comes from"


class Entry(NamedTuple):
    """A file in an archive: its path, the number of bytes it is declared to hold, and its number in the archive's list."""

    name: str
    size: int
    number: int


def checked(path: Path, found: Iterable[Entry]) -> list[Entry]:
    """The entries of the archive at `path`. Raises UserError for names and sizes that are not to be trusted, or fit no folder."""
    entries: list[Entry] = []
    names: set[str] = set()
    folders: set[str] = set()
    for entry in found:
        _refuse_name(path, entry.name)
        if entry.name in names:
            raise refusal(path, entry.name, "is in it twice")
        if not 0 <= entry.size <= _MAX_FILE:
            raise refusal(path, entry.name, f"declares {entry.size} bytes")
        names.add(entry.name)
        entries.append(entry)
        above = entry.name.rpartition("/")[0]
        while above and above not in folders:
            folders.add(above)
            above = above.rpartition("/")[0]
    both = next((entry.name for entry in entries if entry.name in folders), None)
    if both is not None:
        raise refusal(path, both, "is a file and a folder", "report it to its publisher")
    total, size = sum(entry.size for entry in entries), path.stat().st_size
    if total > MAX_GROWTH * size:
        raise UserError(f"{size} bytes that would unpack to {total}: refused", where=path, next=_UNTRUSTED)
    return entries


def refusal(path: Path, name: str, why: str, next: str = _UNTRUSTED) -> UserError:
    """The error for the entry `name` of the archive at `path`."""
    return UserError(f"{name[:200]!a} in the archive {why}: nothing was unpacked", where=path, next=next)


def _refuse_name(path: Path, name: str) -> None:
    if _NO_PLAIN_PATH.search(name):
        slashes = name.replace("\\", "/")
        if not _NO_PLAIN_PATH.search(slashes) and not _DRIVE.match(slashes):
            by_hand = f"unpack it with another program into {path.parent.parent}, delete it, then run the same command"
            raise refusal(path, name, "has backslashes for slashes, as some Windows programs write them", by_hand)
        raise refusal(path, name, "leads out of the folder or is no plain path")
    parts = name.split("/")
    if parts[0].casefold() == OWN_FOLDER:
        raise refusal(path, name, f"is meant for {OWN_FOLDER}/, where this program notes what it has finished")
    if len(os.fsencode(name)) > _MAX_NAME or len(parts) > _MAX_DEPTH or any(len(os.fsencode(part)) > _MAX_PART for part in parts):
        raise refusal(path, name, "has a name that is too long", "report it to its publisher")
