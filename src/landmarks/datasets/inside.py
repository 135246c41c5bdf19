"""Whether the pictures that a table names are in the dataset's folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute

from landmarks.errors import UserError, shown

SOURCE = "source"  # link to the authors' folder, beside the tables: each `path` begins with it
DISTRACTORS = "distractors"  # link in the dataset's folder to the dataset of the run that the distractors come from
_LINKS = (f"{SOURCE}/", f"{DISTRACTORS}/")  # what `prepare` links: only there may a path lead to another place
_OUT = r"^$|^/|(^|/)\.\.(/|$)|\x00"
NEXT = "correct the row, or dataset.pictures_anywhere=true where you trust the table"


def leads_out(path: str) -> bool:
    """Whether a path is written such that it may lead out of the folder that it is relative to: empty, absolute, or with `..`."""
    return re.search(_OUT, path) is not None


def require_inside(paths: pa.ChunkedArray, table: Path) -> None:
    """Raise UserError for the first cell of the column `path` that leads out of the dataset as it is written."""
    row = pa.compute.index(pa.compute.match_substring_regex(paths, _OUT), True).as_py()
    if row >= 0:
        raise UserError(
            f"the path '{shown(paths[row].as_py())}' is not below the dataset's folder", where=f"{table}, row {row + 2}", next=NEXT
        )


class Inside:
    """A folder that files must lie in once links are followed, but for the links that `prepare` makes."""

    def __init__(self, folder: Path):
        self._root = os.path.realpath(folder)
        self._folders: dict[str, bool] = {}  # folder -> whether it lies inside

    def first_outside(self, paths: Iterable[str]) -> str | None:
        """The first of the paths relative to the folder that a link leads out of it; None: there is none."""
        return next((path for path in paths if not path.startswith(_LINKS) and not self._holds(path)), None)

    def _holds(self, path: str) -> bool:
        whole = os.path.join(self._root, path)
        parent = os.path.dirname(whole)
        if parent not in self._folders:
            self._folders[parent] = self._is_below(os.path.realpath(parent))
        return self._folders[parent] and (not os.path.islink(whole) or self._is_below(os.path.realpath(whole)))

    def _is_below(self, real: str) -> bool:
        return real == self._root or real.startswith(self._root + os.sep)
