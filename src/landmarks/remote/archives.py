"""Archives of strangers, unpacked so that nothing leaves the folder, no link is made or followed, and no bomb goes off."""

from __future__ import annotations

import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from landmarks.errors import UserError
from landmarks.store.disk import require_space

PIECE = 1 << 20
MOST_GROWTH = 100  # times the archive's size: photos grow by nothing, tables of ids about fourfold, a bomb a thousandfold

_NO_PLAIN_PATH = re.compile(r"[\x00-\x1f\\]|(^|/)\.{0,2}(/|$)")  # absolute, "..", ".", an empty part, a backslash
Watch = Callable[[int], Callable[[int], object]]
Keep = Callable[[str], bool]


class DamagedArchive(Exception):
    """The bytes are not those that were packed: fetch it again."""


class Entry(NamedTuple):
    """A file in an archive: its path, how many bytes it is said to hold, and the archive's own word for it."""

    name: str
    size: int
    info: zipfile.ZipInfo | tarfile.TarInfo


class Contents(NamedTuple):
    """What an archive holds, found to be harmless, and how an entry is read."""

    entries: list[Entry]
    read: Callable[[zipfile.ZipInfo | tarfile.TarInfo], BinaryIO]


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The files of a .tar or .zip, everything suspicious refused before any is read.

    Raises UserError for a path that leaves the folder, a link or special file, a name that stands twice, an encrypted file, or more bytes
    than the archive's size explains; DamagedArchive where the archive cannot be read.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield Contents(_harmless(path, _zip_entries(path, archive)), archive.open)
        else:
            with tarfile.open(path, "r:") as archive:  # not compressed: what is in it cannot be larger than itself
                yield Contents(_harmless(path, _tar_entries(path, archive)), archive.extractfile)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DamagedArchive(str(error)) from None
    except NotImplementedError as error:
        raise UserError(f"packed in a way that is not known here: {error}", where=path, next="unpack it by hand") from None


def unpack(path: Path, folder: Path, aside: Path, watch: Watch, keep: Keep = lambda name: True) -> tuple[int, int]:
    """Unpack into `folder`, then read everything back and compare: (files, bytes).

    aside  a file that is free to be overwritten: each entry is written there and moved to its place when whole
    keep   which names are wanted
    watch  called with the bytes to be written and read back; what it returns is called as they are, and may raise to stop

    What is there already, byte for byte, is kept, and anything else of that name is replaced (see `require_own`). Raises UserError as
    `opened` does, for a link in the way, and where the disk cannot hold it; DamagedArchive.
    """
    with opened(path) as (entries, read):
        entries = [entry for entry in entries if keep(entry.name)]
        total = sum(entry.size for entry in entries)
        moved = watch(2 * total)
        folder.mkdir(parents=True, exist_ok=True)
        remedy = "free some, or dataset.folder=ANOTHER; then run the same command again"
        require_space(folder, f"the files in {path.name}", missing_bytes(entries, folder), remedy)
        folders = _Folders(folder)
        for entry in entries:
            place = folders.place(entry.name)
            if os.path.lexists(place) and _is_same(read(entry.info), entry.size, place, moved):
                continue
            _write(read(entry.info), entry.size, aside, moved)
            os.replace(aside, place)
        for entry in entries:
            if not _is_same(read(entry.info), entry.size, folder / entry.name, moved):
                raise UserError("what was written reads back differently", where=folder / entry.name, next="check the disk")
        return len(entries), total


def require_own(path: Path, folder: Path) -> None:
    """Raise UserError where `folder` holds a file of the archive's with other content: it is somebody else's."""
    with opened(path) as (entries, read):
        for entry in entries:
            place = folder / entry.name
            if os.path.lexists(place) and not _is_same(read(entry.info), entry.size, place, lambda count: None):
                raise UserError(f"{path.name} holds another file of this name", where=place, next="move yours away, then run this again")


def missing_bytes(entries: Iterable[Entry], folder: Path) -> int:
    """What is still to be written."""
    return sum(entry.size for entry in entries if not os.path.lexists(folder / entry.name))


def _zip_entries(path: Path, archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            raise _refusal(path, info.filename, "is a link or a special file")
        if info.flag_bits & 0x1:
            raise _refusal(path, info.filename, "is encrypted")
        yield Entry(info.orig_filename.removeprefix("./"), info.file_size, info)


def _tar_entries(path: Path, archive: tarfile.TarFile) -> Iterator[Entry]:
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise _refusal(path, info.name, "is a link or a special file")
        yield Entry(info.name.removeprefix("./"), info.size, info)


def _harmless(path: Path, found: Iterable[Entry]) -> list[Entry]:
    entries, names = [], set()
    for entry in found:
        if _NO_PLAIN_PATH.search(entry.name):
            raise _refusal(path, entry.name, "leads out of the folder or is no plain path")
        if entry.name in names:
            raise _refusal(path, entry.name, "stands in it twice")
        names.add(entry.name)
        entries.append(entry)
    total, size = sum(entry.size for entry in entries), path.stat().st_size
    if total > MOST_GROWTH * size:
        raise UserError(
            f"{size} bytes that would unpack to {total}: refused", where=path, next="delete it; do not trust where it comes from"
        )
    return entries


def _refusal(path: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{name[:200]!a} in the archive {why}: nothing was unpacked", where=path, next="delete it; do not trust where it comes from"
    )


class _Folders:
    """Makes folders below a root, refusing to go through a link."""

    def __init__(self, root: Path):
        self.root, self.known = root, set()

    def place(self, name: str) -> Path:
        place = self.root / name
        new, above = [], place.parent
        while above != self.root and above not in self.known:
            new.append(above)
            above = above.parent
        for folder in reversed(new):
            refuse_link(folder)
            folder.mkdir(exist_ok=True)
            self.known.add(folder)
        return place


def refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise UserError("a link is in the way", where=folder, next="put a folder there; dataset.folder itself may be a link")


def _write(source: BinaryIO, size: int, aside: Path, moved: Callable[[int], object]) -> None:
    aside.unlink(missing_ok=True)
    with source, open(aside, "xb") as copy:
        while piece := source.read(PIECE):
            size -= len(piece)
            if size < 0:
                raise DamagedArchive("it holds more than it says")
            copy.write(piece)
            moved(len(piece))
    if size:
        raise DamagedArchive("it holds less than it says")


def _is_same(source: BinaryIO, size: int, place: Path, moved: Callable[[int], object]) -> bool:
    with source:
        found = os.lstat(place)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        with open(place, "rb") as copy:
            while piece := source.read(PIECE):
                if piece != copy.read(len(piece)):
                    return False
                moved(len(piece))
        return True
