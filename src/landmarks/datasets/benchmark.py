"""A benchmark read from its authors' folder, written as tables in GLDv2's form with a column `path` for the pictures."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from landmarks.datasets.images import DISTRACTORS, PHOTO_SUFFIXES
from landmarks.errors import UserError
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text

SOURCE = "source"  # link to the authors' folder, beside the tables: each `path` begins with it


@dataclass(frozen=True)
class Benchmark:
    """A benchmark in memory.

    index, test  tables with id, path (below the authors' folder) and further columns that the protocol needs, such as positions
    truth        file name -> table, for ground truth that is not a column of those
    """

    index: pd.DataFrame
    test: pd.DataFrame
    truth: dict[str, pd.DataFrame] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """The digest of all tables."""
        tables = [self.index, self.test, *self.truth.values()]
        return hashlib.blake2b("".join(table.to_csv(index=False) for table in tables).encode(), digest_size=16).hexdigest()


def write_benchmark(folder: Path, source: Path, benchmark: Benchmark, distractors: Path | None) -> None:
    """Write index.csv, test.csv, a train.csv without rows, the ground truth, and links to the folders that hold the pictures.

    source       the authors' folder
    distractors  the run folder whose index images are searched as well, if any
    """
    for name, table in {"index.csv": benchmark.index, "test.csv": benchmark.test}.items():
        write_csv(folder / name, table.assign(path=[f"{SOURCE}/{path}" for path in table["path"]]))
    write_text(folder / "train.csv", "id,landmark_id\n")
    for name, table in benchmark.truth.items():
        write_csv(folder / name, table)
    _link(folder / SOURCE, source)
    if distractors is not None:
        _link(folder / DISTRACTORS, distractors / "dataset")


def require_folder(folder: Path, layout: str, *parts: str) -> None:
    """Raise UserError where the folder, or one of its `parts`, does not exist; `layout` describes what the folder should hold."""
    if not folder.is_dir():
        raise UserError("the dataset folder does not exist", where=folder, next=f"dataset.folder=FOLDER, {layout}")
    for part in parts:
        if not (folder / part).is_dir():
            found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
            raise UserError(f"no folder '{part}' here; there is {found}", where=folder, next=f"dataset.folder=FOLDER, {layout}")


def picture_names(folder: Path) -> list[str]:
    """The pictures below `folder` (files with one of PHOTO_SUFFIXES), as paths relative to it, sorted."""
    found = []
    for parent, _, names in os.walk(folder, followlinks=True):
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names if name.lower().endswith(PHOTO_SUFFIXES)]
    return sorted(found)


def as_id(text: str) -> str:
    """`text` with "_" for what an id must not hold: lists of ids are separated by spaces, cells of a table by commas."""
    return re.sub(r'[\x00-\x20,"/\\]', "_", text)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve(), target_is_directory=True)
