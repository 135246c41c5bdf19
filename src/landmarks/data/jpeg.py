"""JPEG files decoded strictly: what libjpeg only warns of is an error, and so are scans that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from landmarks.data.raster import Damaged, narrow

MAX_SCANS = 500  # a hostile file of a few kilobytes can hold thousands, each of which is decoded over the whole picture
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # the beginning of a segment, behind the data of a scan
_PROGRESSIVE = 0xC2
_PROCESSES = (0xC0, 0xC1, _PROGRESSIVE)
_APP0, _APP14, _APP15, _COMMENT, _HUFFMAN, _SCAN, _END = 0xE0, 0xEE, 0xEF, 0xFE, 0xC4, 0xDA, 0xD9
_HOLE = bytes(48)  # more than a block of coefficients of one code


class _Segment(NamedTuple):
    marker: int
    start: int  # of its marker
    end: int  # of the segment; behind it is the data of a scan

    def body(self, data: bytes) -> bytes:
        return data[self.start + 4 : self.end]


def read_jpeg(data: bytes, size: tuple[int, int], channels: int, reduction: int) -> np.ndarray | None:
    """Decode a JPEG: (height, width, 3) uint8 RGB; None for the rare ones that only Pillow decodes, which does so less strictly.

    size       width, height in its header
    channels   4: CMYK
    reduction  1, 2, 4 or 8: pixels of the file, in each direction, that become one

    Raises Damaged for what libjpeg warns of (ITU-T T.81: data that end early, bytes that belong to no code, bad codes, restart markers out
    of order), for scans that are missing or too many, and for holes of zeros.
    """
    if not _require_whole(data):
        return None
    least = {} if reduction == 1 else {"min_width": -(-size[0] // reduction), "min_height": -(-size[1] // reduction)}
    colours = "CMYK" if channels == 4 else "RGB"
    try:
        pixels = simplejpeg.decode_jpeg(data, colours, strict=True, **least)
    except ValueError as error:
        if not _is_known(data):
            return None
        plain = _without_quirks(data, channels)
        if plain == data:
            raise Damaged(_reason(error)) from None
        try:
            pixels = simplejpeg.decode_jpeg(plain, colours, strict=True, **least)
        except ValueError as second:
            raise Damaged(_reason(second)) from None
    return _rgb_of_cmyk(pixels) if channels == 4 else pixels


def write_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """(h, w, 3) uint8 RGB as a JPEG file, colours at their full resolution."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorspace="RGB", colorsubsampling="444")


def reduction_for(size: tuple[int, int], min_side: int) -> int:
    """By how much a JPEG is reduced when it is decoded, 1, 2, 4 or 8: its longest side stays at least `min_side` pixels.

    A pixel of the result is made of whole ones of the file: a picture one pixel high is not reduced.
    """
    asked = min(8, max(size) // max(min_side, 1))
    if asked < 2:
        return 1
    possible = min(side // max(1, side // asked) for side in size)
    return max(step for step in (1, 2, 4, 8) if step <= possible)


def _require_whole(data: bytes) -> bool:
    """Raise Damaged where components or bits are in no scan, which libjpeg takes for a blurred or grey picture, and for holes of zeros.

    Returns False for the processes that simplejpeg does not know (lossless, hierarchical, arithmetic).
    """
    lacking: dict[int, list[int | None]] = {}  # component -> for each coefficient the bits that are still missing, None: all
    symbols: dict[int, int] = {}  # Huffman table -> what a code of zeros stands for
    process, scans = None, 0
    for segment in _segments(data):
        body = segment.body(data)
        if segment.marker == _HUFFMAN:
            symbols |= _first_symbols(body)
        elif 0xC0 <= segment.marker <= 0xCF and segment.marker not in (0xC8, 0xCC) and len(body) >= 6:
            process = segment.marker
            if process not in _PROCESSES:
                return False
            lacking = {component: [None] * (64 if process == _PROGRESSIVE else 1) for component in body[6::3]}
        elif segment.marker == _SCAN and body and len(body) >= 4 + 2 * body[0]:
            scans += 1
            if scans > MAX_SCANS:
                raise Damaged(f"more than {MAX_SCANS} scans")
            first, last, bits = body[1 + 2 * body[0]], body[2 + 2 * body[0]], body[3 + 2 * body[0]] & 15
            for component in body[1 : 1 + 2 * body[0] : 2]:
                if process == _PROGRESSIVE and component in lacking and last < 64:
                    lacking[component][first : last + 1] = [bits] * (last + 1 - first)
                elif component in lacking:
                    lacking[component] = [0]
            if last and any(symbols.get(0x10 | tables & 15, 0) & 15 for tables in body[2 : 2 + 2 * body[0] : 2]):
                _refuse_zeros(data, segment.end)
            if process != _PROGRESSIVE and not any(None in component for component in lacking.values()):
                break  # the usual case: one scan, behind which the rest of the file need not be looked at
    if scans and not all(bits == 0 for component in lacking.values() for bits in component):
        raise Damaged("truncated: its last scans are missing")
    return True


def _first_symbols(body: bytes) -> dict[int, int]:
    """Huffman table -> its first symbol, whose code is all zeros, of the tables in a segment (T.81, B.2.4.2)."""
    found, start = {}, 0
    while start + 17 < len(body):
        found[body[start]] = body[start + 17]
        start += 17 + sum(body[start + 1 : start + 17])
    return found


def _refuse_zeros(data: bytes, start: int) -> None:
    """Raise Damaged for a hole in the data of the scan at `start`, whose zeros stand for coefficients that are not zero.

    No picture has a block of 63 equal ones. Where zeros stand for even areas, a hole cannot be told from one.
    """
    hole = data.find(_HOLE, start)
    if hole >= 0 and _MARKER.search(data, start, hole) is None:
        raise Damaged("a part of its data is zeros")


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments up to the end of the picture; it ends where something else is found, which the decoder will refuse."""
    start = 2
    while start + 4 <= len(data) and data[start] == 0xFF:
        marker = data[start + 1]
        if marker == 0xFF:  # filling
            start += 1
            continue
        if marker == _END:
            return
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        yield _Segment(marker, start, end)
        if marker == _SCAN:
            found = _MARKER.search(data, end)
            end = found.start() if found else len(data)
        start = end


def _is_known(data: bytes) -> bool:
    """Whether simplejpeg decodes pictures with this subsampling."""
    try:
        simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # KeyError: it has no word for the subsampling
        return False
    return True


def _without_quirks(data: bytes, channels: int) -> bytes:
    """The file without what libjpeg warns of in its header although the pixels do not depend on it.

    That is a wrong ICC profile, a strange version of JFIF, and an unknown number for the colours in Adobe's segment.
    """
    parts, start = [data[:2]], 2
    for segment in _segments(data):
        if segment.marker == _SCAN:
            break
        start = segment.end
        whole, body = data[segment.start : segment.end], segment.body(data)
        if segment.marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 7:
            whole = whole[:9] + b"\1" + whole[10:]
        elif segment.marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12 and body[11] > 2:
            whole = whole[:15] + (b"\2" if channels == 4 else b"\1") + whole[16:]
        elif _APP0 < segment.marker <= _APP15 and segment.marker != _APP14 or segment.marker == _COMMENT:
            continue
        parts.append(whole)
    return b"".join([*parts, data[start:]])


def _rgb_of_cmyk(inks: np.ndarray) -> np.ndarray:
    """(h, w, 4) -> (h, w, 3) in the same memory, converted as Pillow does: programs store these inks inverted."""
    height, width = inks.shape[:2]

    def strip(top: int, bottom: int) -> Image.Image:
        image = Image.frombuffer("CMYK", (width, bottom - top), np.ascontiguousarray(inks[top:bottom]), "raw", "CMYK;I", 0, 1)
        return image.convert("RGB")

    memory = inks.reshape(-1)
    narrow(memory, height, width, strip)
    return memory[: 3 * height * width].reshape(height, width, 3)


def _reason(error: ValueError) -> str:
    text = str(error)
    return f"truncated: {text}" if "Premature end" in text else text
