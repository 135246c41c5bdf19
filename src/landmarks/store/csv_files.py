"""CSV files, read as strings and written."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from landmarks.command import tables_command
from landmarks.errors import UserError, shown
from landmarks.reading import open_regular
from landmarks.store.files import atomic_write
from landmarks.store.json_files import writable

_BEGINNING = 1_000_000  # characters of a file in which its header ends


def read_csv_header(path: Path) -> list[str]:
    """The names of the columns. Raises UserError for a missing file, and one that is not UTF-8 text."""
    return _header(_beginning(path), path)


def read_csv(path: Path, columns: list[str]) -> pa.Table:
    """The named columns as strings; "" and "null" stay as they are.

    Raises UserError for a missing or repeated column, a ragged row and a quote that is not closed.
    """
    beginning = _beginning(path)
    header = _header(beginning, path)
    repeated = next((name for name in columns if header.count(name) > 1), None)
    if repeated is not None:
        raise UserError(f"the column {repeated} is there twice", where=path, next="leave one of the two out")
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(
            f"no column {', '.join(missing)}; the columns are {shown(', '.join(header))}",
            where=path,
            next=f"the header should hold {','.join(columns)}",
        )
    if len(beginning) < _BEGINNING and not re.search("[\r\n]", beginning.strip("\r\n")):  # a header alone; Arrow wants a line break
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    table = _read(path, columns)
    if _count(path, b'"') % 2:
        _refuse_open_quote(path, header, len(table))
    return table


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write the columns of `frame`, without its index."""
    with atomic_write(path) as aside:
        frame.to_csv(aside, index=False, lineterminator="\n")
        # A cell with a line feed is quoted, but not one with a carriage return, at which readers end the line.
        if _count(aside, b"\r"):
            frame.to_csv(aside, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def _beginning(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="").read(_BEGINNING)
    except FileNotFoundError:
        raise UserError("missing table", where=path, next=tables_command() or "check the name and the folder") from None


def _header(beginning: str, path: Path) -> list[str]:
    try:  # a column may be named after a step with several settings, commas and all
        header = next((row for row in csv.reader(io.StringIO(beginning, newline="")) if row), [""])
        "".join(header).encode()
    except csv.Error as error:
        raise UserError(f"malformed header: {error}", where=path, next="save it as UTF-8 CSV") from None
    except UnicodeEncodeError:
        raise UserError("not a text file", where=path, next="save it as UTF-8 CSV") from None
    return header


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        with open_regular(path) as file:
            # Arrow reads twice as fast what it opens itself, but no path that is not UTF-8.
            return pa.csv.read_csv(
                file if writable(str(path)) != str(path) else path,
                read_options=pa.csv.ReadOptions(block_size=64 << 20),  # rows of train_clean.csv can be longer than the default block
                convert_options=pa.csv.ConvertOptions(
                    include_columns=columns, strings_can_be_null=False, column_types=dict.fromkeys(columns, pa.string())
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise UserError(f"malformed CSV: {shown(error)}", where=path, next="fix the row") from None


def _count(path: Path, byte: bytes) -> int:
    with open_regular(path) as file:
        return sum(block.count(byte) for block in iter(lambda: file.read(1 << 24), b""))


def _refuse_open_quote(path: Path, header: list[str], rows: int) -> None:
    """Raise UserError where the last cell has swallowed the rest of the file."""
    if rows and any("\n" in cell or "\r" in cell for row in _read(path, header)[rows - 1 :].to_pylist() for cell in row.values()):
        raise UserError("a quote is not closed: the rest of the file is one cell", where=f"{path}, row {rows + 1}", next="fix the row")
