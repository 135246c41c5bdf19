"""Reads pickles of plain data with an unpickler that refuses everything else: a pickle could otherwise run any code."""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.errors import UserError, shown
from landmarks.reading import read_bytes

# The functions by which NumPy's arrays and scalars are unpickled, as NumPy itself names them when it pickles.
_NUMPY = {
    ("multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numeric", "_frombuffer"): np.empty(1).__reduce_ex__(5)[0],
}
# Under the module names of NumPy 1 ("core") and 2 ("_core").
_ALLOWED = {(f"numpy.{core}.{module}", name): made for core in ("core", "_core") for (module, name), made in _NUMPY.items()}
_ALLOWED |= {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
_TUPLES = (b"t", b"\x85", b"\x86", b"\x87")  # the operations that make one
_MANY_TUPLES = 100_000  # an array takes four


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _as_bytes
        if (module, name) in (("__builtin__", "bytes"), ("builtins", "bytes")):
            return _no_bytes
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _as_bytes(text: str, encoding: str) -> bytes:
    """Bytes in pickles of protocol 2 are text to be encoded as Latin-1. No other codec is called."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"it asks for the codec {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """b"" in pickles of protocol 2 is a call of bytes(). It takes no argument here: bytes(10**12) would exhaust the memory."""
    return b""


def read_plain_pickle(path: Path) -> Any:
    """Dictionaries, lists, tuples, strings, numbers and NumPy arrays of numbers or text from a pickle.

    Raises UserError for a missing or damaged file, and for one that asks for anything else: nothing of it is run.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise UserError("missing file", where=path, next="check dataset.folder") from None
    try:
        _refuse_towers(data)
        value = _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
        _refuse_objects(value)
        return value
    except pickle.UnpicklingError as error:
        raise UserError(
            f"refused: the pickle holds more than lists, strings, numbers and arrays: {shown(error)}",
            where=path,
            next="download the file again from its authors; do not open this one with another tool",
        ) from None
    except Exception as error:  # a damaged pickle raises whatever its instructions stumble on
        raise UserError(
            f"damaged, or not a pickle: {type(error).__name__}: {shown(error)}", where=path, next="download the file again from its authors"
        ) from None


def _refuse_towers(data: bytes) -> None:
    """Raise UnpicklingError for so many tuples that, one in the other, they would exhaust the interpreter's stack as a key."""
    if sum(map(data.count, _TUPLES)) > _MANY_TUPLES:  # of all bytes, those of texts and numbers too
        if sum(operation.code.encode("latin1") in _TUPLES for operation, _, _ in pickletools.genops(data)) > _MANY_TUPLES:
            raise pickle.UnpicklingError(f"more than {_MANY_TUPLES:,} tuples")


def _refuse_objects(value: Any) -> None:
    """Raise UnpicklingError for an array of objects or another class at any depth: its elements could be of any class."""
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            if one.dtype.hasobject:
                raise pickle.UnpicklingError("an array of objects")
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif one is not None and not isinstance(one, str | bytes | bytearray | bool | int | float | complex | np.generic):
            raise pickle.UnpicklingError(f"a {type(one).__name__}")
