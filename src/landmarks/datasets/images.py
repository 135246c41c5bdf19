"""The files of a dataset's pictures, and the box of each picture that is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.datasets.inside import DISTRACTORS, NEXT, Inside, require_inside
from landmarks.errors import UserError, shown
from landmarks.progress import progress
from landmarks.store.cells import number
from landmarks.store.csv_files import read_csv, read_csv_header
from landmarks.store.tables import is_usable, refuse_repeated

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # in any case; GLDv2's own layout has .jpg only
CROP = ["left", "top", "right", "bottom"]
_BLOCK = 65536  # paths in memory at once


def image_path(folder: Path, split: str, id: str) -> Path:
    """GLDv2's layout: <split>/a/b/c/abc....jpg."""
    return Path(folder, split, *id[:3], f"{id}.jpg")


class Pictures:
    """The picture files of a split: in GLDv2's layout, or as these columns of index.csv and test.csv give them.

    path                      below the dataset's folder
    left, top, right, bottom  the box of the picture that is used, in pixels

    anywhere  whether a path may lead out of the dataset's folder (dataset.pictures_anywhere). Otherwise it may be neither absolute nor
              hold `..`, and only the links that `prepare` makes lead to other places
    Raises UserError for such a path, here or where the picture is asked for.
    """

    def __init__(self, folder: Path, split: str, anywhere: bool = False):
        self._folder, self._split, self._anywhere = Path(folder), split, anywhere
        self._inside = Inside(self._folder)
        self._table = table = self._folder / f"{split}.csv"
        columns = read_csv_header(table) if split != "train" and table.is_file() else []
        self._listed: pd.Index | None = None  # ids of the table, where it has the column path
        self._paths = np.empty(0, object)  # of the listed ids, and "" for row -1
        self._boxes: np.ndarray | None = None
        if "path" in columns:
            listed = read_csv(table, ["id", "path"])
            if not anywhere:
                require_inside(listed["path"], table)
            rows = listed.to_pandas()
            self._listed, self._paths = pd.Index(rows["id"], dtype=object), np.append(rows["path"].to_numpy(dtype=object), "")
            if not self._listed.is_unique:
                refuse_repeated(rows["id"].to_numpy(dtype=object), table)
        if {"path", *CROP} <= set(columns):
            self._boxes = _boxes(table)

    def paths(self, ids: Sequence[str] | np.ndarray) -> list[str]:
        """The file of each of `ids`, whether it exists or not; ids that the table lacks are looked up among the distractors."""
        ids = np.asarray(ids, dtype=object)
        if self._listed is None:
            return [str(image_path(self._folder, self._split, id)) for id in ids]
        rows = self._listed.get_indexer(pd.Index(ids, dtype=object))
        outside = None if self._anywhere else self._inside.first_outside(self._paths[rows[rows >= 0]])
        if outside is not None:
            raise UserError(f"a link leads the path '{shown(outside)}' out of the dataset's folder", where=self._table, next=NEXT)
        found = [os.path.join(self._folder, path) for path in self._paths[rows]]
        unlisted = np.flatnonzero(rows < 0)
        if len(unlisted):
            far = Pictures(self._folder / DISTRACTORS, self._split, self._anywhere)
            for number, path in zip(unlisted.tolist(), far.paths(ids[unlisted]), strict=True):
                found[number] = path
        return found

    def path(self, id: str) -> Path:
        """The file of one picture, as `paths`."""
        return Path(self.paths([id])[0])

    def boxes(self, ids: Sequence[str] | np.ndarray) -> np.ndarray | None:
        """The box of each picture that is used, (n, 4) float64: left, top, right, bottom; None: all of every picture."""
        if self._boxes is None or self._listed is None:
            return None
        rows = self._listed.get_indexer(pd.Index(np.asarray(ids, dtype=object), dtype=object))
        if (rows < 0).any():
            first = np.asarray(ids, dtype=object)[int((rows < 0).argmax())]
            raise UserError(f"no box for '{first}': it has no row", where=self._table, next=f"add a row for it to {self._table.name}")
        return self._boxes[rows]


def missing_images(folder: Path, split: str, ids: np.ndarray, anywhere: bool = False) -> list[str]:
    """Those of `ids` whose picture file does not exist, in their order; each folder is listed once."""
    pictures, ids = Pictures(folder, split, anywhere), np.asarray(ids, dtype=object)
    wanted: dict[str, list[int]] = {}  # folder -> rows of `ids`
    for start in range(0, len(ids), _BLOCK):
        for place, path in enumerate(pictures.paths(ids[start : start + _BLOCK]), start=start):
            wanted.setdefault(os.path.dirname(path), []).append(place)
    missing: list[int] = []
    with progress(None, f"looking for {split} images", "image", total=len(ids)) as bar:
        for parent, numbers in wanted.items():
            present = _names(parent)
            missing += [n for n, path in zip(numbers, pictures.paths(ids[numbers]), strict=True) if os.path.basename(path) not in present]
            bar.update(len(numbers))
    return ids[sorted(missing)].tolist()


def require_images(folder: Path, split: str, ids: np.ndarray, anywhere: bool = False) -> None:
    """Raise UserError when pictures are missing, naming the first and their number."""
    missing = missing_images(folder, split, ids, anywhere)
    if missing:
        raise UserError(
            f"{len(missing)} of {len(ids)} {split} images are missing, first '{missing[0]}'",
            where=Pictures(folder, split, anywhere).path(missing[0]),
            next="complete the dataset, or remove the rows from its table",
        )


def photo_ids(folder: Path, split: str) -> list[str]:
    """The ids of the photos in <folder>/<split>, laid out as GLDv2 is, sorted.

    Raises UserError for a photo whose name is no id, and for two of one name.
    """
    photos = sorted((name, parent) for parent, _, names in os.walk(Path(folder, split)) for name in names if name.endswith(".jpg"))
    ids = [name.removesuffix(".jpg") for name, _ in photos]
    for place, (id, (name, parent)) in enumerate(zip(ids, photos, strict=True)):
        if not is_usable(id):
            what = f"the name of the photo '{shown(name)}' is no id: it has a space, comma, quote or control character"
            raise UserError(what, where=parent, next="rename it or move it away")
        if place and id == ids[place - 1]:
            raise UserError(f"two photos have the id '{id}'", where=f"{photos[place - 1][1]}; {parent}", next="move one of the two away")
    return ids


def _boxes(table: Path) -> np.ndarray:
    """(n, 4) float64. Raises UserError for a cell that is no finite number."""
    columns = [read_csv(table, CROP)[name].to_pylist() for name in CROP]
    boxes = [[number(text) for text in row] for row in zip(*columns, strict=True)]
    bad = next((row for row, box in enumerate(boxes) if None in box), None)
    if bad is not None:
        text = shown(",".join(column[bad] for column in columns))
        raise UserError(f"a box of pixels is four numbers, not '{text}'", where=f"{table}, row {bad + 2}", next="fix the row")
    return np.array(boxes, np.float64).reshape(-1, len(CROP))


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
