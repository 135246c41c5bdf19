"""Revisited Oxford and Paris: the authors' folder, and the ground truth as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark, require_folder
from landmarks.datasets.images import CROP
from landmarks.datasets.plain_pickle import read_plain_pickle
from landmarks.errors import UserError, shown
from landmarks.metrics.revisited import DIFFICULTIES
from landmarks.store.cells import words
from landmarks.store.csv_files import read_csv
from landmarks.store.tables import positions, refuse_repeated

TRUTH = "revisited_solution.csv"
KINDS = ("easy", "hard", "junk")
LAYOUT = "as revisitop distributes it: gnd_roxford5k.pkl (or gnd_rparis6k.pkl) and jpg/"


@dataclass(frozen=True)
class RevisitedTruth:
    """query_ids (n_query,) strings; images: for each kind, easy, hard and junk, one array of index image numbers a query."""

    query_ids: np.ndarray
    images: dict[str, list[np.ndarray]]

    def junk(self, difficulty: str) -> list[np.ndarray]:
        """For each query the images that the difficulty's protocol takes out of its list."""
        kinds = DIFFICULTIES[difficulty][1]
        return [np.concatenate(rows) for rows in zip(*(self.images[kind] for kind in kinds), strict=True)]


def read_source(dataset: DatasetSettings, places: PlacesSettings, need_pictures: bool) -> Benchmark:
    """The benchmark in dataset.folder, for the stage `prepare`; raises as `read_revisited`."""
    return read_revisited(dataset.folder, dataset.query_crop, need_pictures)


def read_revisited(folder: Path, query_crop: bool = True, need_pictures: bool = True) -> Benchmark:
    """The benchmark in `folder`: gnd_*.pkl and jpg/<image>.jpg.

    query_crop     the queries are the authors' boxes, not the whole pictures
    need_pictures  False where descriptors are given: jpg/ may then be missing
    Raises UserError for another folder, a malformed ground truth, and one that names other pictures.
    """
    require_folder(folder, LAYOUT, *(["jpg"] if need_pictures else []))
    path = _ground_truth_path(folder)
    index_ids, query_ids, queries = _checked(read_plain_pickle(path), path)
    if need_pictures:
        _refuse_missing(folder, path, [*index_ids, *query_ids])
    test = pd.DataFrame({"id": query_ids, "path": [f"jpg/{id}.jpg" for id in query_ids]})
    if query_crop:
        test[CROP] = [_box(query, path, number) for number, query in enumerate(queries)]
    names = np.array(index_ids, dtype=object)
    truth = pd.DataFrame({"id": query_ids})
    for kind in KINDS:
        truth[kind] = [" ".join(names[_numbers(query, kind, len(names), path, number)]) for number, query in enumerate(queries)]
    return Benchmark(pd.DataFrame({"id": index_ids, "path": [f"jpg/{id}.jpg" for id in index_ids]}), test, {TRUTH: truth})


def read_revisited_truth(folder: Path, query_ids: np.ndarray, index_ids: np.ndarray) -> RevisitedTruth:
    """revisited_solution.csv (id,easy,hard,junk), its rows in the order of `query_ids`, its images as numbers into `index_ids`.

    Raises UserError where it is missing, or names other queries or images.
    """
    path = folder / TRUTH
    table = read_csv(path, ["id", *KINDS]).to_pandas()
    listed = table["id"].to_numpy(dtype=object)
    refuse_repeated(listed, path)
    rows = positions(query_ids, listed)
    if (rows < 0).any():
        raise UserError(f"no row for query '{query_ids[rows.argmin()]}'", where=path, next="use the ground truth of this very dataset")
    images = {}
    number_of = pd.Index(index_ids, dtype=object)  # one look-up table for all: a million distractors take a second to enter
    for kind in KINDS:
        lists = [words(text) for text in table[kind].iloc[rows]]
        names = np.array([name for one in lists for name in one], dtype=object)
        numbers = number_of.get_indexer(pd.Index(names, dtype=object))
        if (numbers < 0).any():
            raise UserError(
                f"unknown index image '{shown(names[numbers.argmin()])}' among the {kind} ones ({(numbers < 0).sum()} unknown in all)",
                where=path,
                next="use the ground truth of this very dataset",
            )
        images[kind] = np.split(numbers, np.cumsum([len(one) for one in lists])[:-1]) if lists else []
    return RevisitedTruth(query_ids, images)


def _ground_truth_path(folder: Path) -> Path:
    found = sorted(folder.glob("gnd_*.pkl"))
    if len(found) != 1:
        what = f"several ground truths: {', '.join(path.name for path in found)}" if found else "no ground truth gnd_*.pkl"
        raise UserError(what, where=folder, next=f"dataset.folder=FOLDER, {LAYOUT}")
    return found[0]


def _checked(value: Any, path: Path) -> tuple[list[str], list[str], list[dict]]:
    keys = {"imlist", "qimlist", "gnd"}
    if not isinstance(value, dict) or not keys <= value.keys():
        raise UserError("not a ground truth: it should hold imlist, qimlist and gnd", where=path, next=LAYOUT)
    index_ids, query_ids = (_names(value[key], key, path) for key in ("imlist", "qimlist"))
    queries = value["gnd"]
    if not isinstance(queries, list | tuple):
        raise UserError("not a ground truth: gnd should be a list", where=path, next=LAYOUT)
    if not index_ids or not query_ids:
        raise UserError("a ground truth without images or without queries", where=path, next="download the file again")
    if len(queries) != len(query_ids):
        raise UserError(f"{len(query_ids)} queries in qimlist, {len(queries)} in gnd", where=path, next="download the file again")
    for number, query in enumerate(queries):
        if not isinstance(query, dict) or not {"bbx", *KINDS} <= query.keys():
            old = ", that of the original Oxford5k and Paris6k" if isinstance(query, dict) and "ok" in query else ""
            raise UserError(
                f"not a ground truth of Revisited Oxford or Paris{old}: a query should hold bbx, easy, hard and junk",
                where=f"{path}, gnd[{number}]",
                next=LAYOUT,
            )
    return index_ids, query_ids, list(queries)


def _names(value: Any, key: str, path: Path) -> list[str]:
    names = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise UserError(f"not a ground truth: {key} should be a list of names", where=path, next=LAYOUT)
    return [str(name) for name in names]


def _array(value: Any) -> np.ndarray:
    """(n,) of anything; of text where the value is no array of numbers."""
    try:
        return np.asarray(value).reshape(-1)
    except (ValueError, TypeError, OverflowError, RecursionError):  # from NumPy, of lists of different lengths or nested without end
        return np.array(["no array"])


def _numbers(query: dict, kind: str, images: int, path: Path, row: int) -> np.ndarray:
    numbers = _array(query[kind])
    if len(numbers) == 0:  # an empty list is an array of floats
        return np.empty(0, np.int64)
    if not np.issubdtype(numbers.dtype, np.integer) or numbers.min() < 0 or numbers.max() >= images:
        raise UserError(
            f"the {kind} images should be numbers from 0 to {images - 1} into imlist",
            where=f"{path}, gnd[{row}]",
            next="use the ground truth of this very dataset",
        )
    return numbers.astype(np.int64)


def _box(query: dict, path: Path, row: int) -> list[float]:
    box = _array(query["bbx"])
    sound = box.shape == (4,) and (np.issubdtype(box.dtype, np.floating) or np.issubdtype(box.dtype, np.integer))
    box = box.astype(float) if sound else box
    if not sound or not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
        what = f"the box {shown(box.tolist(), 100)} is not left, top, right, bottom"
        raise UserError(what, where=f"{path}, gnd[{row}]['bbx']", next="download the file again")
    return box.tolist()


def _refuse_missing(folder: Path, path: Path, ids: list[str]) -> None:
    there = {name.removesuffix(".jpg") for name in (entry.name for entry in (folder / "jpg").iterdir())}
    missing = [id for id in ids if id not in there]
    if missing:
        raise UserError(
            f"{len(missing)} of the {len(ids)} images that {path.name} names are not in jpg/, first '{shown(missing[0])}.jpg'",
            where=folder / "jpg",
            next="complete the pictures, or use the ground truth of this very dataset",
        )
