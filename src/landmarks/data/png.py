"""The checksums of a PNG file, which Pillow leaves out where the pixels are."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from landmarks.data.raster import Damaged

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BLOCK = 1 << 20  # bytes read at once


def require_checksums(file: BinaryIO) -> None:
    """Raise Damaged where a chunk's CRC-32 is wrong (PNG, section 5.5), or the file ends before its last chunk.

    So every changed byte is found, and any damage within 32 bits; longer damage escapes once in 4 billion times.
    """
    file.seek(len(SIGNATURE))
    name = b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", _exactly(file, 8))
        checksum = zlib.crc32(name)
        while length:
            block = _exactly(file, min(length, _BLOCK))
            checksum, length = zlib.crc32(block, checksum), length - len(block)
        if checksum != int.from_bytes(_exactly(file, 4), "big"):
            raise Damaged(f"the checksum of its part {name.decode('ascii', 'backslashreplace')} is wrong")


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise Damaged("truncated")
    return data
