"""What a finished folder consists of: size, time and digest of every file, by which damage and changes are noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from landmarks.progress import progress
from landmarks.reading import open_regular
from landmarks.store.files import PART, sync

Seal = dict[str, list]  # name below the folder -> [bytes, time of the last change in nanoseconds, digest or None: need only be there]
_LONG = 4 << 30  # bytes that take seconds to read
_OWN = ("manifest.json", "recipe.json", ".lock")

_unchanged: set[tuple] = set()  # (file, bytes, time, digest) that this process found right: the manifest may be on a read-only disk


def digest_of_file(path: Path) -> str:
    """32 hexadecimal digits of BLAKE2b of a file's bytes. Raises OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def seal(folder: Path, without: tuple[str, ...] = (), known: Seal | None = None, *, names_only: bool = False) -> Seal:
    """The files below `folder`, each on the disk for good; not its manifest and recipe, nor folders below that have their own.

    without     names to leave out, and folders with all that is in them
    known       an earlier seal: what has the same size and time since is not read again
    names_only  the files may be edited: they are not read
    """
    paths = {path.relative_to(folder).as_posix(): path for path in _files(folder, without)}
    found: Seal = {}
    large = sum(path.stat().st_size for path in paths.values()) > _LONG
    for name, path in progress(sorted(paths.items()), f"digests of {folder.name}", "file", hidden=not large):
        facts, before = path.stat(), (known or {}).get(name)
        if names_only:
            found[name] = [facts.st_size, facts.st_mtime_ns, None]
        elif before is not None and before[:2] == [facts.st_size, facts.st_mtime_ns]:
            found[name] = before
        else:
            sync(path)
            found[name] = [facts.st_size, facts.st_mtime_ns, digest_of_file(path)]
    return found


def changed_files(folder: Path, sealed: Seal) -> tuple[list[str], list[str], Seal]:
    """Names of files that are missing, names of those that have changed, and the seal with the times of today.

    A file of the same size and time is trusted. One with another time, a copy say, is read: its digest decides.
    """
    missing, changed, today = [], [], dict(sealed)
    for name, (size, time, digest) in sealed.items():
        path = folder / name
        try:
            facts = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
            continue
        if digest is None:
            continue
        if facts.st_size != size:
            changed.append(name)
        elif facts.st_mtime_ns != time:
            seen = (str(path), facts.st_size, facts.st_mtime_ns, digest)
            if seen not in _unchanged and digest_of_file(path) != digest:
                changed.append(name)
                continue
            _unchanged.add(seen)
            today[name] = [size, facts.st_mtime_ns, digest]
    return missing, changed, today


def _files(folder: Path, without: tuple[str, ...]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if here != folder and "recipe.json" in names:  # another artefact, with its own manifest
            folders.clear()
            continue
        folders[:] = [name for name in folders if (here / name).relative_to(folder).as_posix() not in without]
        for name in names:
            path = here / name
            inside = path.relative_to(folder).as_posix()
            if inside not in (*_OWN, *without) and not name.endswith(PART) and path.is_file():
                yield path
