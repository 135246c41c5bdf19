"""Whether what was read from a benchmark's folder can be written as tables that the other stages take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.datasets.benchmark import Benchmark
from landmarks.datasets.inside import leads_out
from landmarks.errors import UserError, shown
from landmarks.store.tables import is_usable

_KINDS = {"index": ("index image", "two index images"), "test": ("query", "two queries")}


def require_usable(benchmark: Benchmark, folder: Path) -> None:
    """Raise UserError for ids that no table may hold or that two pictures share, and for paths that no table can hold.

    folder  the authors' folder, in which the named picture or entry is
    """
    for part, (kind, two) in _KINDS.items():
        table = getattr(benchmark, part)
        for id, path in zip(table["id"], table["path"], strict=True):
            _refuse_unwritable(id, path, kind, folder)
        repeated = np.flatnonzero(table["id"].duplicated())
        if len(repeated):
            second = table.iloc[int(repeated[0])]
            _refuse_pair(_first(table, second["id"]), second, two, folder)
    shared = np.flatnonzero(benchmark.test["id"].isin(benchmark.index["id"]))
    if len(shared):
        query = benchmark.test.iloc[int(shared[0])]
        _refuse_pair(_first(benchmark.index, query["id"]), query, "an index image and a query", folder)


def _refuse_unwritable(id: str, path: str, kind: str, folder: Path) -> None:
    """Raise UserError where the id or the path cannot be a cell of a table that is read again."""
    if not is_usable(id):
        has = "a space, comma, quote, slash, control character or bytes that are no UTF-8 in its name" if id else "no name"
        remedy = "rename the picture, and its entry where there is one"
        raise UserError(f"the {kind} '{shown(id or path)}' has {has}", where=folder, next=remedy)
    if any(letter in "\r\n" or "\ud800" <= letter <= "\udfff" for letter in path):
        what = f"the path of the {kind} '{shown(path)}' has a line break, or bytes that are no UTF-8"
        raise UserError(what, where=folder, next="rename it")
    if leads_out(path):
        raise UserError(f"the {kind} '{shown(path)}' is outside the dataset", where=folder, next="correct its entry")


def _refuse_pair(first: pd.Series, second: pd.Series, what: str, folder: Path) -> None:
    id, one, other = shown(first["id"]), shown(first["path"]), shown(second["path"])
    if one == other:
        raise UserError(f"{what} are the same picture, '{one}'", where=folder, next="remove one of the two entries")
    raise UserError(f"{what} would both have the id '{id}': '{one}' and '{other}'", where=folder, next="rename one of the two")


def _first(table: pd.DataFrame, id: str) -> pd.Series:
    return table.iloc[int(np.flatnonzero(table["id"] == id)[0])]
