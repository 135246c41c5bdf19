"""What a download consists of: one file each, with all that is known before it is there."""

from __future__ import annotations

from dataclasses import dataclass

from landmarks.remote.faults import Subject
from landmarks.remote.transfer import Address

# Photos hardly compress, so an archive unpacks to its own size, and each photo of about 100 kB wastes half a block of 4 KiB.
UNPACKED = 1.03


@dataclass(frozen=True)
class Item:
    """A table that goes to the dataset folder as it is, or an archive (.tar, .zip) that is unpacked there.

    name     of the file while it is here; no two items have the same
    group    what it is a part of, as the plan lists it
    address  how to ask for it; None where that takes a credential that is not there
    md5      how to ask for its md5 file; None: an archive is judged by size and CRC
    folder   where in the dataset folder it is unpacked
    header   columns of a table's first line, by which it is told from a page of excuses
    about    its published size in bytes, while the server has not been asked
    share    of its photos that are kept, about; less than 1: those that the training table lists
    """

    name: str
    group: str
    subject: Subject
    address: Address | None
    md5: Address | None = None
    folder: str = ""
    header: str | None = None
    about: int | None = None
    share: float = 1.0

    def unpacked(self, size: int | None) -> float:
        """Bytes that it takes on the disk when it is in its place, about; `size` as the server says, None: as published."""
        size = size or self.about or 0
        return size if self.header else UNPACKED * self.share * size
