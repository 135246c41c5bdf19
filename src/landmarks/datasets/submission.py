"""The submission of the retrieval challenge: id,images with at most 100 index ids, best first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.datasets.image_lists import ImageLists, read_image_lists, refuse_unknown
from landmarks.errors import UserError, shown
from landmarks.ranking import Ranking
from landmarks.store.files import atomic_write
from landmarks.store.tables import positions

MAX_IMAGES = 100


def write_submission(path: Path, test_ids: np.ndarray, ranking: Ranking) -> None:
    """One row for each of `test_ids`, in that order; a query that the ranking lacks gets no images."""
    rows = positions(test_ids, ranking.query_ids)
    with atomic_write(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write("id,images\n")
        for id, row in zip(test_ids, rows, strict=True):
            indices = ranking.indices[row, :MAX_IMAGES] if row >= 0 else ranking.indices[:0, 0]
            file.write(f"{id},{' '.join(ranking.index_ids[indices[indices >= 0]])}\n")


def read_submission(path: Path, test_ids: np.ndarray, index_ids: np.ndarray) -> ImageLists:
    """Read and validate a submission; its rows come back in the order of `test_ids`.

    Raises UserError for a query that is unknown, missing or given twice, for more than 100 images and for an unknown one.
    """
    lists, _ = read_image_lists(path, index_ids)
    unknown = np.flatnonzero(positions(lists.ids, test_ids) < 0)
    if len(unknown):
        raise UserError(
            f"unknown query '{shown(lists.ids[unknown[0]])}' ({len(unknown)} unknown in all)",
            where=f"{path}, row {unknown[0] + 2}",
            next="use the ids of test.csv of the same dataset",
        )
    counts = np.diff(lists.starts)
    if counts.max(initial=0) > MAX_IMAGES:
        row = int((counts > MAX_IMAGES).argmax())
        raise UserError(
            f"{counts[row]} images for query '{lists.ids[row]}', at most {MAX_IMAGES} are allowed",
            where=f"{path}, row {row + 2}",
            next=f"keep the first {MAX_IMAGES}",
        )
    refuse_unknown(lists, path)
    rows = positions(test_ids, lists.ids)
    if (rows < 0).any():
        absent = np.flatnonzero(rows < 0)
        raise UserError(
            f"no row for query '{test_ids[absent[0]]}' ({len(absent)} queries without a row)",
            where=path,
            next="write a row for every id of test.csv; its images may be empty",
        )
    return lists.rows(rows)
