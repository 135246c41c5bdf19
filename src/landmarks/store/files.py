"""Files that appear under their final name only when complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.command import next_command
from landmarks.errors import UserError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it is renamed to `path` when the block succeeds, and deleted otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, with a final newline."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one .npy file."""
    with atomic_write(path) as aside, open(aside, "wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, *, mapped: bool = False) -> np.ndarray:
    """Read one .npy file, or map it into memory read-only. Raises UserError where it is missing, cut off, or holds pickled objects."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
    except FileNotFoundError:
        raise UserError("missing file", where=path, next=f"check dataset.folder, or {next_command('run')}") from None
    except (ValueError, EOFError) as error:
        raise UserError(f"not a whole .npy file of numbers: {error}", where=path, next="write it again with numpy.save") from None
    if not isinstance(array, np.ndarray):  # an .npz archive under the name of a .npy file
        raise UserError("an archive of arrays, not one array", where=path, next="write it again with numpy.save")
    return array
