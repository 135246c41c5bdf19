"""One array from a .npy file, whose header is not believed before its size is compared with the file's."""

from __future__ import annotations

import math
import os
import tokenize
from pathlib import Path
from typing import BinaryIO

import numpy as np

from landmarks.errors import shown
from landmarks.reading import open_regular

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What NumPy's parser of a header, a Python literal of at most 10,000 characters, may raise.
_MALFORMED = (ValueError, TypeError, SyntaxError, tokenize.TokenError, OverflowError, RecursionError, MemoryError, EOFError)


def load_npy(path: Path, *, mapped: bool = False) -> np.ndarray:
    """The array in native byte order, read or mapped into memory read-only; one of another byte order is always read.

    Raises FileNotFoundError, and ValueError for a file that is cut off, holds pickled objects or is no .npy file at all.
    """
    with open_regular(path) as file:
        shape, dtype = _header(file)
        announced, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    if announced > there:
        raise ValueError(f"cut off: its header says {shown(shape, 100)} of {dtype}, {announced:,} bytes, and there are {there:,}")
    array = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    if file.read(4) == b"PK\x03\x04":
        raise ValueError("an archive of arrays, not one array")
    file.seek(0)
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except KeyError:
        raise ValueError("a later version of the format") from None
    except _MALFORMED as error:
        raise ValueError(f"no header of a .npy file: {shown(error, 100)}") from None
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    if any(not 0 <= side < 2**62 for side in shape):
        raise ValueError(f"its header says {shown(shape, 100)}")
    return shape, dtype
