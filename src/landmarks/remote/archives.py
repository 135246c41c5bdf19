"""Unpacks archives that are not trusted: files stay in the folder, no link is made or followed, and zip bombs are refused."""

from __future__ import annotations

import errno
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from landmarks.errors import UserError
from landmarks.reading import open_regular
from landmarks.remote.entries import Entry, checked, refusal
from landmarks.store.disk import require_space

PIECE = 1 << 20
# What the readers of zip and tar raise where bytes are wrong, as found by trying.
_STUMBLES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
)
Watch = Callable[[int], Callable[[int], object]]
Keep = Callable[[str], bool]


class DamagedArchive(Exception):
    """The archive cannot be read, or holds other bytes than it declares: it is to be fetched again."""


class Contents(NamedTuple):
    """The files of an archive, all checked, and how one is read."""

    entries: list[Entry]
    read: Callable[[Entry], Unpacking]


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The files of a .tar or .zip; the whole list is checked before any file is read.

    Raises UserError for a path that leaves the folder, a link or special file, a repeated name, an encrypted file, or more than
    MAX_GROWTH times the archive's size; DamagedArchive where the archive cannot be read.
    """
    with open_regular(path) as file:
        with parsing(path):
            if path.suffix == ".zip":
                packed = zipfile.ZipFile(file)
                infos = packed.infolist()
                entries, open_entry = checked(path, _zip_entries(path, infos)), partial(_open_zipped, packed, infos)
            else:
                archive = tarfile.open(fileobj=file, mode="r:")  # not compressed: its content cannot be larger than itself
                entries, open_entry = checked(path, _tar_entries(path, archive)), partial(_open_member, archive)
        yield Contents(entries, lambda entry: Unpacking(path, open_entry, entry))


@contextmanager
def parsing(path: Path) -> Iterator[None]:
    """Within the block, what the readers of archives stumble on is a DamagedArchive; writing a file does not belong in it."""
    try:
        yield
    except NotImplementedError as error:
        raise UserError(f"packed by a method that is not supported here: {error}", where=path, next="unpack it by hand") from None
    except _STUMBLES as error:
        raise DamagedArchive(str(error) or type(error).__name__) from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of bzip2, and of a place before the file's beginning
            raise
        raise DamagedArchive(str(error)) from None


class Unpacking:
    """A file in an archive, open for reading."""

    def __init__(self, path: Path, open_entry: Callable[[Entry], IO[bytes]], entry: Entry):
        self._path = path
        with parsing(path):
            self._source = open_entry(entry)

    def read(self, count: int) -> bytes:
        with parsing(self._path):
            return self._source.read(count)

    def __enter__(self) -> Unpacking:
        return self

    def __exit__(self, *error: object) -> None:
        self._source.close()


def unpack(path: Path, folder: Path, aside: Path, watch: Watch, keep: Keep = lambda name: True) -> tuple[int, int]:
    """Unpack into `folder`, then read everything back and compare: (files, bytes).

    aside  a scratch file: each entry is written there, and moved to its place when complete
    watch  called with the number of bytes to be written and read back; it returns a function that is called with the number of bytes
           of each step, and may raise to stop
    keep   whether a name is wanted

    A file that exists with the same bytes is kept, any other of that name is replaced (see `require_own`). Raises UserError as `opened`
    does, for a link in the way, and where the disk is too small; DamagedArchive.
    """
    with opened(path) as contents:
        read, entries = contents.read, [entry for entry in contents.entries if keep(entry.name)]
        total = sum(entry.size for entry in entries)
        moved = watch(2 * total)
        folder.mkdir(parents=True, exist_ok=True)
        remedy = "free some, or dataset.folder=ANOTHER; then run the same command again"
        require_space(folder, f"the files in {path.name}", missing_bytes(entries, folder), remedy)
        folders = _Folders(folder)
        for entry in entries:
            place = folders.place(entry.name)
            if os.path.lexists(place) and _is_same(read(entry), entry.size, place, moved):
                continue
            if os.path.isdir(place) and not os.path.islink(place):
                raise UserError("a folder is in the way", where=place, next="move it away, then run this again")
            _write(read(entry), entry.size, aside, moved)
            os.replace(aside, place)
        for entry in entries:
            if not _is_same(read(entry), entry.size, folder / entry.name, moved):
                raise UserError("what was written reads back differently", where=folder / entry.name, next="check the disk for errors")
        return len(entries), total


def require_own(path: Path, folder: Path) -> None:
    """Raise UserError where `folder` holds a file of the same name with other content: it is the user's own."""
    with opened(path) as contents:
        for entry in contents.entries:
            place = folder / entry.name
            if os.path.lexists(place) and not _is_same(contents.read(entry), entry.size, place, lambda count: None):
                raise UserError(f"{path.name} holds another file of this name", where=place, next="move yours away, then run this again")


def missing_bytes(entries: Iterable[Entry], folder: Path) -> int:
    """The declared bytes of the entries that do not exist in `folder`."""
    return sum(entry.size for entry in entries if not os.path.lexists(folder / entry.name))


def _zip_entries(path: Path, infos: list[zipfile.ZipInfo]) -> Iterator[Entry]:
    for number, info in enumerate(infos):
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            raise refusal(path, info.filename, "is a link or a special file")
        if info.flag_bits & 0x1:
            raise refusal(path, info.filename, "is encrypted")
        yield Entry(info.orig_filename.removeprefix("./"), info.file_size, number)


def _tar_entries(path: Path, archive: tarfile.TarFile) -> Iterator[Entry]:
    for number, info in enumerate(archive):
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise refusal(path, info.name, "is a link or a special file")
        yield Entry(info.name.removeprefix("./"), info.size, number)


def _open_zipped(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], entry: Entry) -> IO[bytes]:
    return archive.open(infos[entry.number])


def _open_member(archive: tarfile.TarFile, entry: Entry) -> IO[bytes]:
    file = archive.extractfile(archive.getmembers()[entry.number])
    if file is None:
        raise DamagedArchive(f"{entry.name} is not a file")
    return file


class _Folders:
    """Makes folders below a root; raises UserError where one of them is a link."""

    def __init__(self, root: Path):
        self.root = root
        self.known: set[Path] = set()

    def place(self, name: str) -> Path:
        """The path of the file `name`, whose folders exist now."""
        place = self.root / name
        new, above = [], place.parent
        while above != self.root and above not in self.known:
            new.append(above)
            above = above.parent
        for folder in reversed(new):
            refuse_link(folder)
            if folder.is_file():
                raise UserError("a file is in the way", where=folder, next="move it away, then run this again")
            folder.mkdir(exist_ok=True)
            self.known.add(folder)
        return place


def refuse_link(folder: Path) -> None:
    """Raise UserError for a link: files would be written through it to elsewhere."""
    if folder.is_symlink():
        raise UserError("a link is in the way", where=folder, next="put a folder there; dataset.folder itself may be a link")


def _write(source: Unpacking, size: int, aside: Path, moved: Callable[[int], object]) -> None:
    aside.unlink(missing_ok=True)
    with source, open(aside, "xb") as copy:
        while piece := source.read(PIECE):
            size -= len(piece)
            if size < 0:
                raise DamagedArchive("a file holds more than it declares")
            copy.write(piece)
            moved(len(piece))
    if size:
        raise DamagedArchive("a file holds less than it declares")


def _is_same(source: Unpacking, size: int, place: Path, moved: Callable[[int], object]) -> bool:
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
