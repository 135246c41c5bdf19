"""JSON that another program, or another version of this one, may have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from landmarks.errors import UserError, shown
from landmarks.reading import read_text

Shape = Mapping[str, type | tuple[type, ...]]  # key -> the types that its value may have


def writable(text: str) -> str:
    r"""A name as UTF-8 can hold it: its bytes that are no UTF-8 are written as \xe9, which cannot be read back to the same name."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def all_writable(value: Any) -> Any:
    """The same value of JSON with every text, keys too, as `writable`."""
    if isinstance(value, dict):
        return {all_writable(key): all_writable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [all_writable(one) for one in value]
    return writable(value) if isinstance(value, str) else value


def parse_json(text: str) -> Any:
    """The value. Raises ValueError for what is no JSON, is nested thousands deep, or holds text that no file can."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if "\\ud" in text.lower():  # half of a surrogate pair
        json.dumps(value, ensure_ascii=False).encode()
    return value


def parse_object(text: str, required: Shape, optional: Shape | None = None) -> dict[str, Any]:
    """The object with these keys, and any others. Raises ValueError for another value."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__}, not an object")
    for key, types in required.items():
        if key not in value:
            raise ValueError(f"no {key}")
        if not _is(value[key], types):
            raise ValueError(f"its {key} is a {type(value[key]).__name__}")
    for key, types in (optional or {}).items():
        if key in value and not _is(value[key], types):
            raise ValueError(f"its {key} is a {type(value[key]).__name__}")
    return value


def read_object(path: Path, what: str, required: Shape, optional: Shape = MappingProxyType({}), *, next: str) -> dict[str, Any]:
    """The object in a file, as `parse_object`. Raises UserError that says it is not `what`, FileNotFoundError where it is missing."""
    try:
        return parse_object(read_text(path), required, optional)
    except ValueError as error:
        raise UserError(f"not {what}: {shown(error)}", where=path, next=next) from None


def read_texts(path: Path, what: str, *, next: str) -> dict[str, str]:
    """The object in a file, whose values are all text; raises as `read_object`."""
    texts = read_object(path, what, {}, next=next)
    if not all(isinstance(text, str) for text in texts.values()):
        raise UserError(f"not {what}: its values are not all text", where=path, next=next)
    return texts


def _is(value: Any, types: type | tuple[type, ...]) -> bool:
    """A boolean is no number here."""
    kinds = types if isinstance(types, tuple) else (types,)
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
