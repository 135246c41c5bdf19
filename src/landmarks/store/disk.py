"""Whether what is to be written fits on the disk, and the message where it did not."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

from landmarks.errors import UserError
from landmarks.quantities import format_bytes

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is larger than allowed here"}
_CUT_SHORT = re.compile(r"^\d+ requested and \d+ written$")  # what numpy says of a write that ended early, without a number


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


def no_room(error: BaseException, target: Path) -> UserError | None:
    """The message for a write to `target` that failed for want of space; None where it failed for another reason."""
    if not isinstance(error, OSError):
        return None
    reason = _FULL.get(error.errno or 0)
    if reason is None and error.errno is None and _CUT_SHORT.match(str(error)):
        reason = _FULL[errno.ENOSPC]
    if reason is None:
        return None
    return UserError(
        f"{reason}: {format_bytes(free_bytes(target))} are free",
        where=target,
        next="make room there and run the same command again: finished work is kept; or put run.folder on a larger disk",
    )
