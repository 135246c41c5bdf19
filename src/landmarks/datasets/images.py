"""Where the pictures of a dataset lie, and what of them is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.datasets.benchmark import CROP, DISTRACTORS
from landmarks.errors import UserError
from landmarks.progress import progress
from landmarks.store.tables import read_csv, read_csv_header

_BLOCK = 65536  # paths in memory at once


def image_path(folder: Path, split: str, id: str) -> Path:
    """GLDv2's layout: <split>/a/b/c/abc....jpg."""
    return Path(folder, split, *id[:3], f"{id}.jpg")


class Pictures:
    """The pictures of a split: in GLDv2's layout, or where the columns of index.csv and test.csv say.

    path                      below the dataset's folder
    left, top, right, bottom  the part of the picture that is looked at, in pixels
    """

    def __init__(self, folder: Path, split: str):
        self._folder, self._split = Path(folder), split
        table = self._folder / f"{split}.csv"
        columns = read_csv_header(table) if split != "train" and table.is_file() else []
        self._rows = self._paths = self._boxes = None
        if "path" in columns:
            rows = read_csv(table, ["id", "path"]).to_pandas()
            self._rows, self._paths = pd.Index(rows["id"], dtype=object), np.append(rows["path"].to_numpy(dtype=object), "")
        if {"path", *CROP} <= set(columns):
            boxes = read_csv(table, CROP).to_pandas()
            try:
                self._boxes = boxes.to_numpy(dtype=float)
            except ValueError as error:
                raise UserError(f"a box of pixels is four numbers: {error}", where=table, next="mend the row") from None

    def paths(self, ids: Iterable[str]) -> list[str]:
        """The file of each of `ids`, whether it is there or not; images that the table lacks are the distractors'."""
        ids = np.asarray(ids, dtype=object)
        if self._rows is None:
            return [str(image_path(self._folder, self._split, id)) for id in ids]
        rows = self._rows.get_indexer(pd.Index(ids, dtype=object))
        found = [os.path.join(self._folder, path) for path in self._paths[rows]]
        strangers = np.flatnonzero(rows < 0)
        if len(strangers):
            for place, path in zip(strangers, Pictures(self._folder / DISTRACTORS, self._split).paths(ids[strangers]), strict=True):
                found[place] = path
        return found

    def path(self, id: str) -> Path:
        return Path(self.paths([id])[0])

    def boxes(self, ids: Iterable[str]) -> np.ndarray | None:
        """The part of each picture that is looked at, (n, 4) float64: left, top, right, bottom; None = all of every picture."""
        if self._boxes is None:
            return None
        return self._boxes[self._rows.get_indexer(pd.Index(ids, dtype=object))]


def missing_images(folder: Path, split: str, ids: np.ndarray) -> list[str]:
    """Those of `ids` whose picture is not there, in their order; each folder is listed once."""
    pictures, wanted = Pictures(folder, split), {}
    ids = np.asarray(ids, dtype=object)
    for start in range(0, len(ids), _BLOCK):
        for number, path in enumerate(pictures.paths(ids[start : start + _BLOCK]), start=start):
            wanted.setdefault(os.path.dirname(path), []).append(number)
    missing = []
    with progress(None, f"looking for {split} images", "image", total=len(ids)) as bar:
        for place, numbers in wanted.items():
            there = _names(place)
            missing += [n for n, path in zip(numbers, pictures.paths(ids[numbers]), strict=True) if os.path.basename(path) not in there]
            bar.update(len(numbers))
    return ids[sorted(missing)].tolist()


def require_images(folder: Path, split: str, ids: np.ndarray) -> None:
    """Raise UserError when pictures are missing, naming the first and their number."""
    missing = missing_images(folder, split, ids)
    if missing:
        raise UserError(
            f"{len(missing)} of {len(ids)} {split} images are missing, first '{missing[0]}'",
            where=Pictures(folder, split).path(missing[0]),
            next="complete the dataset, or remove the rows from its table",
        )


def photo_ids(folder: Path, split: str) -> list[str]:
    """The ids of the photos that lie in GLDv2's layout, sorted."""
    return sorted(name.removesuffix(".jpg") for _, _, names in os.walk(Path(folder, split)) for name in names if name.endswith(".jpg"))


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
