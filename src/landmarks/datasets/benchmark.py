"""A benchmark read from its authors' folder, and the tables it becomes: GLDv2's own, with a column that says where a picture lies."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from landmarks.errors import UserError
from landmarks.store.files import write_text
from landmarks.store.tables import write_csv

SOURCE = "source"  # link to the authors' folder, beside the tables: what `path` begins with
DISTRACTORS = "distractors"  # link to the tables of the run that the distractors come from
CROP = ["left", "top", "right", "bottom"]
PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Benchmark:
    """index and test: tables with id, path (below the authors' folder) and what else is known of a picture.

    truth  the name of a file -> its table, of what the protocol scores against beyond those
    """

    index: pd.DataFrame
    test: pd.DataFrame
    truth: dict[str, pd.DataFrame] = field(default_factory=dict)

    def fingerprint(self) -> str:
        tables = [self.index, self.test, *self.truth.values()]
        return hashlib.blake2b("".join(table.to_csv(index=False) for table in tables).encode(), digest_size=16).hexdigest()


def write_benchmark(folder: Path, source: Path, benchmark: Benchmark, distractors: Path | None) -> None:
    """index.csv, test.csv, a train.csv without rows, the ground truth, and links to where the pictures lie."""
    for name, table in {"index.csv": benchmark.index, "test.csv": benchmark.test}.items():
        write_csv(folder / name, table.assign(path=[f"{SOURCE}/{path}" for path in table["path"]]))
    write_text(folder / "train.csv", "id,landmark_id\n")
    for name, table in benchmark.truth.items():
        write_csv(folder / name, table)
    _link(folder / SOURCE, source)
    if distractors is not None:
        _link(folder / DISTRACTORS, distractors / "dataset")


def require_folder(folder: Path, layout: str, *parts: str) -> None:
    """Raise UserError where the folder, or one of its `parts`, is not there; `layout` says in words what should be."""
    if not folder.is_dir():
        raise UserError("the dataset folder does not exist", where=folder, next=f"dataset.folder=FOLDER, {layout}")
    for part in parts:
        if not (folder / part).is_dir():
            found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
            raise UserError(f"no folder '{part}' here; there is {found}", where=folder, next=f"dataset.folder=FOLDER, {layout}")


def picture_names(folder: Path) -> list[str]:
    """The pictures below `folder`, as paths relative to it, sorted."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names if name.lower().endswith(PICTURES)]
    return sorted(found)


def as_id(text: str) -> str:
    """Ids stand in lists separated by spaces, in cells separated by commas."""
    return re.sub(r'[\x00-\x20,"/\\]', "_", text)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve(), target_is_directory=True)
