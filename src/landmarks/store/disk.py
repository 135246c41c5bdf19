"""Whether what is about to be written fits on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from landmarks.errors import UserError
from landmarks.quantities import format_bytes


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which need not exist yet."""
    folder = Path(folder).absolute()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def require_space(folder: Path, what: str, needed: int, remedy: str) -> str:
    """Raise UserError where `needed` bytes are not free on the disk of `folder`; returns the needed and the free space as text.

    what    what needs the space, in the plural, for the message
    remedy  the setting to change
    """
    free = free_bytes(folder)
    words = f"up to {format_bytes(needed)} of disk, {format_bytes(free)} are free"
    if needed > free:
        raise UserError(f"{what} take {words}", where=folder, next=remedy)
    return words
