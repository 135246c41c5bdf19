"""A benchmark read from its authors' folder, written as tables in GLDv2's form with a column `path` for the pictures."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from landmarks.datasets.images import PHOTO_SUFFIXES
from landmarks.datasets.inside import DISTRACTORS, SOURCE
from landmarks.datasets.walk import files_below
from landmarks.errors import UserError
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text
from landmarks.store.json_files import writable


@dataclass(frozen=True)
class Benchmark:
    """A benchmark in memory.

    index, test  tables with id, path (below the authors' folder) and further columns that the protocol needs, such as positions
    truth        file name -> table, for ground truth that is not a column of those
    passed_over  kind -> number of files in the folders of pictures that are none
    """

    index: pd.DataFrame
    test: pd.DataFrame
    truth: dict[str, pd.DataFrame] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)

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


def picture_names(folder: Path, passed_over: Counter[str] | None = None) -> list[str]:
    """The pictures below `folder` (files with one of PHOTO_SUFFIXES), as paths relative to it, sorted.

    passed_over  the other files are added to it: kind -> number
    Raises UserError for a name that is not UTF-8, since no table can hold it.
    """
    found, others = [], Counter[str]() if passed_over is None else passed_over
    for name, is_file in files_below(folder):
        if not is_file:
            others["no regular file"] += 1
        elif name.lower().endswith(PHOTO_SUFFIXES):
            if writable(name) != name:
                raise UserError(f"the name of the picture {writable(name)} holds bytes that are no UTF-8", where=folder, next="rename it")
            found.append(name)
        else:
            others[os.path.splitext(name)[1].lower() or "no suffix"] += 1
    return sorted(found)


def in_words(passed_over: Mapping[str, int]) -> str:
    """The number and the kinds of the files that are no pictures."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(passed_over.items()))
    return f"{sum(passed_over.values())} files that are not {', '.join(PHOTO_SUFFIXES)}: {kinds}"


def as_id(text: str) -> str:
    """`text` with "_" for what an id must not hold: lists of ids are separated by spaces, cells of a table by commas."""
    return re.sub(r'[\x00-\x20,"/\\]', "_", text)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve(), target_is_directory=True)
