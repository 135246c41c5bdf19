"""Place recognition data sets: the position of every picture, from its file name or from a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark, as_id, in_words, picture_names, require_folder
from landmarks.errors import UserError, shown
from landmarks.store.cells import number
from landmarks.store.csv_files import read_csv, read_csv_header
from landmarks.store.tables import positions, refuse_repeated

LAYOUT = "with database/ and queries/ in it, pictures named @easting@northing@...@.jpg (such as pitts30k/images/test)"
POSITION = ["easting", "northing"]


@dataclass(frozen=True)
class Places:
    """Where pictures were taken.

    ids        (n,) strings
    positions  (n, 2) float64: easting, northing in metres (UTM)
    headings   (n,) float64: the camera's compass angle in degrees, or None where the tables have none
    sequences  (n,) strings: the drive that a picture is from, or None where the tables have none
    frames     (n,) int64: its number in that drive, or None
    centres    (n,) bool: whether it counts as a picture, or as the middle of a sequence; the others are only frames of sequences
    """

    ids: np.ndarray
    positions: np.ndarray
    headings: np.ndarray | None
    sequences: np.ndarray | None
    frames: np.ndarray | None
    centres: np.ndarray


def read_source(dataset: DatasetSettings, places: PlacesSettings, need_pictures: bool) -> Benchmark:
    """The benchmark in dataset.folder, for the stage `prepare`; raises as `read_places_folder`."""
    return read_places_folder(dataset.folder)


def read_places_folder(folder: Path) -> Benchmark:
    """The benchmark in `folder`: database/ and queries/, positions in the file names.

    Raises UserError for another folder and for a name without a position.
    """
    require_folder(folder, LAYOUT, "database", "queries")
    passed_over: Counter[str] = Counter()
    index, test = (_table(folder, part, passed_over) for part in ("database", "queries"))
    return Benchmark(index, test, passed_over=dict(passed_over))


def read_places(table: Path, ids: np.ndarray) -> Places:
    """The columns easting, northing and, where the table has them, heading, sequence, frame and centre (true or false; all true).

    Its rows are in the order of `ids`. Raises UserError for a missing column, a value that is not a number, and an id without a row.
    """
    more = [name for name in ("heading", "sequence", "frame", "centre") if name in read_csv_header(table)]
    frame = read_csv(table, ["id", *POSITION, *more]).to_pandas()
    listed = frame["id"].to_numpy(dtype=object)
    refuse_repeated(listed, table)
    rows = positions(ids, listed)
    if (rows < 0).any():
        raise UserError(f"no row for '{ids[rows.argmin()]}'", where=table, next="use the tables that the ranking was made from")
    frame = frame.iloc[rows]
    return Places(
        np.asarray(ids),
        np.column_stack([_numbers(frame[name], table) for name in POSITION]),
        _numbers(frame["heading"], table) if "heading" in more else None,
        frame["sequence"].to_numpy(dtype=object) if "sequence" in more else None,
        whole_numbers(frame["frame"], table) if "frame" in more else None,
        _booleans(frame["centre"], table) if "centre" in more else np.ones(len(ids), bool),
    )


def _table(folder: Path, part: str, passed_over: Counter[str]) -> pd.DataFrame:
    names = picture_names(folder / part, passed_over)
    if not names:
        there = f"; there are {in_words(passed_over)}" if passed_over else ""
        raise UserError(f"no pictures{there}", where=folder / part, next=f"dataset.folder=FOLDER, {LAYOUT}")
    placed = [_position(folder / part / name) for name in names]
    # A query and an index picture may have the same name; ids may not.
    ids = [as_id(part + (name if name.startswith("@") else f"@{name}")).rsplit(".", 1)[0] for name in names]
    columns = {"id": ids, "path": [f"{part}/{name}" for name in names]}
    return pd.DataFrame(columns | dict(zip(POSITION, zip(*placed, strict=True), strict=True)))


def _position(path: Path) -> tuple[float, float]:
    easting, northing = ([number(part) for part in path.name.split("@")[1:3]] + [None, None])[:2]
    if easting is None or northing is None:
        raise UserError(
            "the file's name has no position: it should be @easting@northing@...@.jpg, in metres (UTM)", where=path, next=LAYOUT
        )
    return easting, northing


def _numbers(column: pd.Series, table: Path) -> np.ndarray:
    """(n,) float64. Raises UserError for a cell that is no finite number."""
    numbers = [number(text) for text in column]
    if None in numbers:
        raise UserError(f"{column.name} '{shown(column.iloc[numbers.index(None)])}' is not a number", where=table, next="fix the row")
    return np.array(numbers, np.float64)


def _booleans(column: pd.Series, table: Path) -> np.ndarray:
    texts = column.str.lower()
    odd = ~texts.isin(["true", "false"]).to_numpy(dtype=bool)
    if odd.any():
        what = f"{column.name} '{shown(column.iloc[int(odd.argmax())])}' is neither true nor false"
        raise UserError(what, where=table, next="fix the row")
    return (texts == "true").to_numpy(dtype=bool)


def whole_numbers(column: pd.Series, table: Path) -> np.ndarray:
    """(n,) int64. Raises UserError for a cell that is no whole number."""
    numbers = _numbers(column, table)
    bad = (numbers != np.floor(numbers)) | (np.abs(numbers) > 2**53)
    if bad.any():
        raise UserError(f"{column.name} '{shown(column.iloc[int(bad.argmax())])}' is not a whole number", where=table, next="fix the row")
    return numbers.astype(np.int64)
