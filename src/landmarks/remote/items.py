"""The items of a download: one file each, with all that is known before it is fetched."""

from __future__ import annotations

from dataclasses import dataclass

from landmarks.remote.faults import Subject
from landmarks.remote.transfer import Address

# Photos hardly compress, so an archive unpacks to its own size, and each photo of about 100 kB wastes half a block of 4 KiB.
UNPACKED = 1.03


@dataclass(frozen=True)
class Item:
    """A table that goes to the dataset folder as it is, or an archive (.tar, .zip) that is unpacked there.

    name     the file name during the download; no two items have the same
    group    the heading under which the plan counts it
    subject  how messages name it
    address  how to request it; None where that needs a missing credential
    md5      how to request its md5 file; None: an archive is checked by size and CRC
    folder   the folder in the dataset folder into which it is unpacked
    header   columns of a table's first line, by which it is distinguished from an error page
    about    its published size in bytes, used until the server has been asked
    share    the share of its photos that is kept, about; less than 1: those that the training table lists
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
        """About how many bytes it takes on disk when unpacked; size: bytes of the file itself, None: as published."""
        size = size or self.about or 0
        return size if self.header else UNPACKED * self.share * size
