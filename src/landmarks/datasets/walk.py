"""The files below a folder of somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from landmarks.errors import UserError


class Found(NamedTuple):
    """name: path below the folder, with /; is_file: whether it is a regular file, once links are followed."""

    name: str
    is_file: bool


def files_below(folder: Path, *, once: bool = False) -> Iterator[Found]:
    """Everything below `folder` that is no folder, also through links to folders, but not through one that leads back above.

    once  a folder that is reached in several ways counts once, and those whose name begins with a dot are left out
    Raises UserError for a folder that cannot be read: its files would be missing in silence.
    """
    yield from _below(Path(folder), "", (), set() if once else None)


def _below(folder: Path, prefix: str, above: tuple[str, ...], seen: set[str] | None) -> Iterator[Found]:
    real = os.path.realpath(folder)
    if real in above or (seen is not None and real in seen):
        return
    if seen is not None:
        seen.add(real)
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))  # the folder itself before a link to it
    except OSError as error:
        raise UserError(
            f"the folder cannot be read: {error.strerror}", where=folder, next="check its permissions, or move it away"
        ) from None
    for entry in found:
        if not os.path.isdir(entry.path) if entry.is_symlink() else not entry.is_dir():
            yield Found(prefix + entry.name, os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file())
        elif seen is None or not entry.name.startswith("."):
            yield from _below(folder / entry.name, f"{prefix}{entry.name}/", (*above, real), seen)
