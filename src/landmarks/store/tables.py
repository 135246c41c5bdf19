"""The CSV files of Google Landmarks v2, read and checked. Ids are always strings, even if they look like numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from landmarks.command import program, tables_command
from landmarks.errors import UserError, shown
from landmarks.store.cells import INTEGER, integer, words
from landmarks.store.csv_files import read_csv, read_csv_header, write_csv

SPLITS = ("train", "index", "test")
_UNUSABLE = r'[\x00-\x20,"/\\]'  # in an id
USAGES = ("Public", "Private", "Ignored")


@dataclass(frozen=True)
class TrainTable:
    """ids (n,) strings; landmark_ids (n,) int64 in the label space of train.csv."""

    ids: np.ndarray
    landmark_ids: np.ndarray


@dataclass(frozen=True)
class Tables:
    """The three splits of a dataset, no id in two of them."""

    folder: Path
    train_table: str
    train: TrainTable
    index_ids: np.ndarray
    test_ids: np.ndarray

    def path(self, split: str) -> Path:
        """The split's table."""
        return self.folder / (self.train_table if split == "train" else f"{split}.csv")

    def ids(self, split: str) -> np.ndarray:
        """The split's ids: (n,) strings."""
        return {"train": self.train.ids, "index": self.index_ids, "test": self.test_ids}[split]


def read_tables(folder: Path, train_table: str = "train.csv") -> Tables:
    """Read train, index and test. Raises UserError with file, row and value of the first fault."""
    folder = Path(folder)
    require_tables_folder(folder)
    index_ids, test_ids = read_ids(folder / "index.csv"), read_ids(folder / "test.csv")
    train = read_train(folder / train_table)
    tables = Tables(folder, train_table, train, index_ids, test_ids)
    _refuse_shared_ids(tables)
    return tables


def require_tables_folder(folder: Path) -> None:
    """Raise UserError where it does not exist, with the command that makes it."""
    if not folder.is_dir():
        raise UserError(
            "the dataset folder does not exist",
            where=folder,
            next=tables_command() or f"dataset.folder=FOLDER with index.csv and test.csv, or {program()} for the built-in sample",
        )


def read_ids(path: Path) -> np.ndarray:
    """The id column of index.csv or test.csv, in file order: (n,) strings."""
    table = read_csv(path, ["id"])
    _refuse_unusable(table["id"], path)
    ids = _as_strings(table["id"])
    refuse_repeated(ids, path)
    return ids


def read_train(path: Path) -> TrainTable:
    """train.csv (id,landmark_id; other columns are ignored) or train_clean.csv (landmark_id,images)."""
    columns = read_csv_header(path)
    if "images" in columns and "id" not in columns:
        table = read_csv(path, ["landmark_id", "images"])
        images = [words(text) for text in table["images"].to_pylist()]
        ids = np.array([id for row in images for id in row], dtype=object)
        _refuse_unusable_words(ids, images, path)
        landmark_ids = np.repeat(_as_integers(table["landmark_id"], path), [len(row) for row in images])
    else:
        table = read_csv(path, ["id", "landmark_id"])
        _refuse_unusable(table["id"], path)
        ids, landmark_ids = _as_strings(table["id"]), _as_integers(table["landmark_id"], path)
    refuse_repeated(ids, path)
    return TrainTable(ids, landmark_ids)


def write_clean_train(path: Path, table: TrainTable) -> None:
    """Write landmark_id,images, the form of train_clean.csv."""
    frame = pd.DataFrame({"landmark_id": table.landmark_ids, "images": table.ids})
    write_csv(path, frame.groupby("landmark_id")["images"].agg(" ".join).reset_index())


def positions(ids: Sequence[str] | np.ndarray | pd.Series, among: np.ndarray) -> np.ndarray:
    """The position of each of `ids` in `among`: (n,) int64, -1 = not among them."""
    return pd.Index(among, dtype=object).get_indexer(pd.Index(np.asarray(ids, dtype=object), dtype=object))


def require_positions(ids: Sequence[str] | np.ndarray | pd.Series, among: np.ndarray, where: object, next: str) -> np.ndarray:
    """As `positions`, to index with: (n,) int64 of 0 and more. Raises UserError where one of `ids` is not among them.

    where, next  of the error
    """
    rows = positions(ids, among)
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        first = np.asarray(ids, dtype=object)[absent[0]]
        raise UserError(f"{len(absent)} of {len(rows)} ids are not there, first '{first}'", where=where, next=next)
    return rows


def _as_strings(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_pylist(), dtype=object)


def _as_integers(column: pa.ChunkedArray, path: Path) -> np.ndarray:
    bad = pa.compute.index(pa.compute.match_substring_regex(column, INTEGER), False).as_py()  # Arrow itself takes 0x10 and 007
    try:
        if bad < 0:
            return np.array(column.cast(pa.int64()))
    except pa.ArrowInvalid:  # more than 64 bits
        pass
    values = column.to_pylist()
    row = bad if bad >= 0 else next(n for n, value in enumerate(values) if integer(value) is None)
    raise UserError(f"landmark_id '{shown(values[row])}' is not an integer", where=f"{path}, row {row + 2}", next="fix the row")


def _refuse_unusable(ids: pa.ChunkedArray, path: Path) -> None:
    """Raise UserError for an id with a separator: ids are separated by spaces, cells by commas, and an id is a file name."""
    bad = pa.compute.index(pa.compute.match_substring_regex(ids, _UNUSABLE), True).as_py()
    if bad >= 0:
        raise UserError(
            f"the id '{shown(ids[bad].as_py())}' holds a space, comma, quote, slash or control character",
            where=f"{path}, row {bad + 2}",
            next="rename it",
        )


def _refuse_unusable_words(ids: np.ndarray, rows: list[list[str]], path: Path) -> None:
    bad = pa.compute.index(pa.compute.match_substring_regex(pa.array(ids, pa.string()), _UNUSABLE), True).as_py()
    if bad >= 0:
        row = int(np.searchsorted(np.cumsum([len(row) for row in rows]), bad, side="right"))
        raise UserError(
            f"the id '{shown(ids[bad])}' holds a comma, quote or slash", where=f"{path}, row {row + 2}", next="correct or remove it"
        )


def is_usable(id: str) -> bool:
    """Whether an id can be in a table: it is a file's name, and lists of ids are separated by spaces, cells by commas."""
    return bool(id) and re.search(_UNUSABLE, id) is None and not any("\ud800" <= letter <= "\udfff" for letter in id)


def refuse_repeated(ids: np.ndarray, path: Path) -> None:
    """Raise UserError for an empty id and for one given twice; `ids` are the rows of the file `path`."""
    series = pd.Series(ids, dtype=object)
    empty = series == ""
    if empty.any():
        raise UserError("empty id", where=f"{path}, row {int(empty.argmax()) + 2}", next="fix the row")
    repeated = series.duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        first = int((series == series[row]).argmax())
        raise UserError(
            f"duplicate id '{shown(series[row])}'",
            where=f"{path}, row {row + 2} (first in row {first + 2})",
            next="remove one of the two rows",
        )


def _refuse_shared_ids(tables: Tables) -> None:
    for one, other in (("train", "index"), ("train", "test"), ("index", "test")):
        found = positions(tables.ids(one), tables.ids(other))
        shared = np.flatnonzero(found >= 0)
        if len(shared) == 0:
            continue
        if one == "train" and other == "index" and len(shared) == len(found):
            raise UserError(
                f"every id of {tables.train_table} is an index image: index labels are not training labels, "
                "their numbers mean other landmarks",
                where=tables.path(one),
                next="dataset.train_table=train.csv or train_clean.csv",
            )
        raise UserError(
            f"id '{shown(tables.ids(one)[shared[0]])}' is in two splits, {one} and {other} ({len(shared)} such ids)",
            where=f"{tables.path(one)}, image {shared[0] + 1}; {tables.path(other)}, row {found[shared[0]] + 2}",
            next="an image may be in one split only: remove it from the other",
        )
