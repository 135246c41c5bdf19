"""WebP files: cut off or not, and the large ones decoded in half of the memory that Pillow takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

from landmarks.data.raster import Damaged, as_rgb, narrow

_ANIMATION = 2  # in the flags of VP8X
_SHORT = 64  # bytes of a run of zeros that says nothing


class WebpHeader(NamedTuple):
    """width, height in pixels; length of the file in bytes; animated: Pillow decodes the first of its pictures."""

    width: int
    height: int
    length: int
    animated: bool


def read_webp_header(data: bytes) -> WebpHeader:
    """The header from the first 30 bytes of a file (WebP Container Specification). Raises Damaged."""
    name, body = data[12:16], data[20:30]
    length = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < 30 or length < 30:
        raise Damaged("truncated")
    if name == b"VP8X":
        width, height = (1 + int.from_bytes(body[start : start + 3], "little") for start in (4, 7))
        return WebpHeader(width, height, length, bool(body[0] & _ANIMATION))
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(body[start : start + 2], "little") & 0x3FFF for start in (6, 8))
        return WebpHeader(width, height, length, False)
    if name == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return WebpHeader(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), length, False)
    raise Damaged("no picture in the WebP file")


def refuse_zeros(data: bytes, width: int, height: int) -> None:
    """Raise Damaged where the coded pixels hold a run of zeros, as a partial download or a lost block of a disk leaves it.

    WebP has no checksum, and its decoder takes anything. Lossy files hold runs of zeros too, but short ones: in 228 photos at 20
    settings at most one byte for 900 pixels, in pictures of one colour at most 5.5 % of the file. Lossless ones hold long runs, but
    end in 3 zeros at most.
    """
    longest = max(_SHORT, min(len(data) // 12, width * height // 500))
    for name, body in _chunks(data):
        if (name == b"VP8 " and bytes(longest + 1) in body) or (name == b"VP8L" and body.endswith(bytes(_SHORT))):
            raise Damaged("truncated, or with a hole: a part of its data is zeros")


def read_large_webp(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a picture that does not move: (height, width, 3) uint8 RGB, and its EXIF orientation. Raises Damaged.

    OpenCV holds two copies while it decodes; Pillow holds four, of 4 bytes a pixel.
    """
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise Damaged(f"its decoder says {error.err}") from None
    if stored is None:
        raise Damaged("its decoder refuses it")
    height, width, channels = stored.shape
    memory = stored.reshape(-1)

    def strip(top: int, bottom: int) -> Image.Image:
        if channels == 3:
            return Image.fromarray(cv2.cvtColor(stored[top:bottom], cv2.COLOR_BGR2RGB))
        return as_rgb(Image.fromarray(cv2.cvtColor(stored[top:bottom], cv2.COLOR_BGRA2RGBA)))

    narrow(memory, height, width, strip)
    return memory[: 3 * height * width].reshape(height, width, 3), _orientation(data)


def _orientation(data: bytes) -> int:
    for name, body in _chunks(data):
        if name == b"EXIF":
            try:
                exif = Image.Exif()
                exif.load(body)
                return exif.get(ExifTags.Base.Orientation, 1)
            except Exception:  # damaged EXIF, as in raster.py
                return 1
    return 1


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 12
    while start + 8 <= len(data):
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        yield data[start : start + 4], data[start + 8 : start + 8 + length]
        start += 8 + length + length % 2
