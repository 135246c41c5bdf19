"""Archives of strangers, unpacked so that nothing leaves the folder, no link is made or followed, and no bomb goes off."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from landmarks.errors import UserError

PIECE = 1 << 20
MOST_GROWTH = 100  # times the archive's size: photos grow by nothing, tables of ids about fourfold, a bomb a thousandfold

Watch = Callable[[int], Callable[[int], object]]


class DamagedArchive(Exception):
    """The bytes are not those that were packed: fetch it again."""


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its path, what it is said to hold, and how to read it."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


@contextmanager
def opened(path: Path) -> Iterator[list[Entry]]:
    """The files of a .tar or .zip, everything suspicious refused before any is read.

    Raises UserError for a path that leaves the folder, a link or special file, a name that stands twice, an encrypted file, or more bytes
    than the archive's size explains; DamagedArchive where the archive cannot be read.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield _sound(path, list(_zip_entries(path, archive)))
        else:
            with tarfile.open(path, "r:") as archive:  # not compressed: what is in it cannot be larger than itself
                yield _sound(path, list(_tar_entries(path, archive)))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DamagedArchive(str(error)) from None


def unpack(path: Path, folder: Path, aside: Path, watch: Watch) -> tuple[int, int]:
    """Unpack into `folder`, then read everything back and compare: (files, bytes).

    aside  a file that is free to be overwritten: each entry is written there and moved to its place when whole
    watch  called with the bytes to be written and read back; what it returns is called as they are, and may raise to stop

    What is there already, byte for byte, is kept, and anything else of that name is replaced (see `require_own`). Raises UserError as
    `opened` does, for a link in the way, and where the disk cannot hold it; DamagedArchive.
    """
    with opened(path) as entries:
        total = sum(entry.size for entry in entries)
        moved = watch(2 * total)
        folder.mkdir(parents=True, exist_ok=True)
        _require_space(path, folder, entries)
        folders = _Folders(folder)
        for entry in entries:
            place = folders.place(entry.name)
            if os.path.lexists(place) and _is_same(entry, place, moved):
                continue
            _write(entry, place, aside, moved)
        for entry in entries:
            if not _is_same(entry, folder / entry.name, moved):
                raise UserError("what was written reads back differently", where=folder / entry.name, next="check the disk")
        return len(entries), total


def require_own(path: Path, folder: Path) -> None:
    """Raise UserError where `folder` holds a file of the archive's with other content: it is somebody else's."""
    with opened(path) as entries:
        for entry in entries:
            place = folder / entry.name
            if os.path.lexists(place) and not _is_same(entry, place, lambda count: None):
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
        yield Entry(info.orig_filename, info.file_size, lambda info=info: archive.open(info))


def _tar_entries(path: Path, archive: tarfile.TarFile) -> Iterator[Entry]:
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise _refusal(path, info.name, "is a link or a special file")
        yield Entry(info.name, info.size, lambda info=info: archive.extractfile(info))


def _sound(path: Path, entries: list[Entry]) -> list[Entry]:
    names: set[str] = set()
    for entry in entries:
        parts = entry.name.removeprefix("./").split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in entry.name or any(ord(letter) < 32 for letter in entry.name):
            raise _refusal(path, entry.name, "leads out of the folder or is no plain path")
        if str(PurePosixPath(entry.name)) in names:
            raise _refusal(path, entry.name, "stands in it twice")
        names.add(str(PurePosixPath(entry.name)))
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


def _require_space(path: Path, folder: Path, entries: list[Entry]) -> None:
    wanted, free = missing_bytes(entries, folder), shutil.disk_usage(folder).free
    if wanted > free:
        raise UserError(
            f"{path.name} would unpack to {wanted / 1e9:.1f} GB more, and {free / 1e9:.1f} GB are free",
            where=folder,
            next="free some, or dataset.folder=ANOTHER; then run the same command again",
        )


class _Folders:
    """Makes folders below a root, refusing to go through a link."""

    def __init__(self, root: Path):
        self.root, self.known = root, set()

    def place(self, name: str) -> Path:
        place = self.root / name
        if place.parent not in self.known:
            for folder in [self.root, *reversed([above for above in place.parent.parents if self.root in above.parents]), place.parent]:
                if folder.is_symlink() and folder != self.root:
                    raise UserError("a link is in the way", where=folder, next="put a folder there, or all of dataset.folder elsewhere")
                folder.mkdir(exist_ok=True)
                self.known.add(folder)
        return place


def _write(entry: Entry, place: Path, aside: Path, moved: Callable[[int], object]) -> None:
    aside.unlink(missing_ok=True)
    with entry.open() as source, open(aside, "xb") as copy:
        left = entry.size
        while piece := source.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise DamagedArchive(f"{entry.name} is longer than it says")
            copy.write(piece)
            moved(len(piece))
    if left:
        raise DamagedArchive(f"{entry.name} is shorter than it says")
    os.replace(aside, place)


def _is_same(entry: Entry, place: Path, moved: Callable[[int], object]) -> bool:
    found = os.lstat(place)
    if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size:
        return False
    with entry.open() as source, open(place, "rb") as copy:
        while True:
            piece = source.read(PIECE)
            if piece != copy.read(PIECE):
                return False
            if not piece:
                return True
            moved(len(piece))
