"""The ground truth of the retrieval challenge: retrieval_solution*.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks.datasets.image_lists import ImageLists, read_image_lists, refuse_unknown
from landmarks.errors import UserError, shown
from landmarks.store.tables import USAGES, positions


@dataclass(frozen=True)
class Solution:
    """truth: the true index images of each scored query; usages: (n_query,) "Public" or "Private"."""

    truth: ImageLists
    usages: np.ndarray

    @property
    def query_ids(self) -> np.ndarray:
        return self.truth.ids


def find_solution(folder: Path, name: str | None, task: str = "retrieval", setting: str = "dataset.solution") -> Path | None:
    """The solution file `name` of a dataset, or without a name the only <task>_solution*.csv; None where there is none.

    setting  the key by which the user names the file
    """
    if name is not None:
        if not (folder / name).is_file():
            raise UserError("missing solution file", where=folder / name, next=f"check {setting}")
        return folder / name
    found = sorted(folder.glob(f"{task}_solution*.csv"))
    if len(found) > 1:
        raise UserError(
            f"several solution files: {', '.join(path.name for path in found)}", where=folder, next=f"{setting}={found[-1].name}"
        )
    return found[0] if found else None


def read_solution(path: Path, test_ids: np.ndarray, index_ids: np.ndarray) -> Solution:
    """Read id,images,Usage and leave out the Ignored queries.

    Raises UserError for an unknown usage, query or index image, and for a scored query without images.
    """
    lists, (usages,) = read_image_lists(path, index_ids, "Usage")
    refuse_unknown_usages(usages, path)
    scored = np.flatnonzero(usages != "Ignored")
    refuse_unknown_queries(lists.ids, scored, test_ids, path)
    empty = scored[np.diff(lists.starts)[scored] == 0]
    if len(empty):
        raise UserError(
            f"the scored query '{shown(lists.ids[empty[0]])}' has no true images",
            where=f"{path}, row {empty[0] + 2}",
            next="give it images, or the usage Ignored",
        )
    truth = lists.rows(scored)
    _refuse_repeated_images(truth, index_ids, path)
    if (truth.numbers < 0).any():
        kept = np.diff(lists.starts)
        known = lists.numbers.copy()
        known[np.repeat(usages == "Ignored", kept)] = 0  # the images of Ignored rows ("None") are not checked
        refuse_unknown(ImageLists(lists.ids, known, lists.starts), path)
    return Solution(truth, usages[scored])


def refuse_unknown_usages(usages: np.ndarray, path: Path) -> None:
    odd = ~np.isin(usages, USAGES)
    if odd.any():
        row = int(odd.argmax())
        raise UserError(f"usage '{shown(usages[row])}' is none of {', '.join(USAGES)}", where=f"{path}, row {row + 2}", next="fix the row")


def refuse_unknown_queries(ids: np.ndarray, rows: np.ndarray, test_ids: np.ndarray, path: Path) -> None:
    """Raise UserError for the first of `rows` of the file whose id is no query."""
    unknown = np.flatnonzero(positions(ids[rows], test_ids) < 0)
    if len(unknown):
        row = rows[unknown[0]]
        raise UserError(
            f"query '{shown(ids[row])}' is not in test.csv ({len(unknown)} such queries)",
            where=f"{path}, row {row + 2}",
            next="use the file of this very dataset",
        )


def _refuse_repeated_images(truth: ImageLists, index_ids: np.ndarray, path: Path) -> None:
    """A true image named twice would count twice among those to be found."""
    rows = np.repeat(np.arange(len(truth.ids)), np.diff(truth.starts))
    pairs = np.sort(rows[truth.numbers >= 0] * len(index_ids) + truth.numbers[truth.numbers >= 0])
    repeated = np.flatnonzero(pairs[1:] == pairs[:-1])
    if len(repeated):
        row, image = divmod(int(pairs[repeated[0]]), len(index_ids))
        raise UserError(f"query '{truth.ids[row]}' names the image '{index_ids[image]}' twice", where=path, next="name it once")
