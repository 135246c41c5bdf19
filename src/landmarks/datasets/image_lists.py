"""CSV files of the form id,images: solutions and submissions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from landmarks.errors import UserError, shown
from landmarks.ops.id_numbers import IdNumbers
from landmarks.store.cells import words
from landmarks.store.csv_files import read_csv
from landmarks.store.tables import refuse_repeated


@dataclass(frozen=True)
class ImageLists:
    """Rows of image numbers.

    ids      (rows,) strings
    numbers  (sum of images,) int32 into the index ids, -1 = unknown
    starts   (rows + 1,) int64: row r's images are numbers[starts[r]:starts[r + 1]]
    """

    ids: np.ndarray
    numbers: np.ndarray
    starts: np.ndarray

    def rows(self, chosen: np.ndarray) -> ImageLists:
        """The rows at `chosen` (m,) int64, in that order; -1 makes an empty row."""
        if np.array_equal(chosen, np.arange(len(self.ids))):
            return self
        counts = np.where(chosen >= 0, np.diff(self.starts, append=self.starts[-1])[chosen], 0)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        sources = np.repeat(self.starts[chosen] - starts[:-1], counts) + np.arange(starts[-1])
        ids = np.where(chosen >= 0, np.append(self.ids, "")[chosen], "")
        return ImageLists(ids, self.numbers[sources], starts)

    def padded(self, width: int) -> np.ndarray:
        """(rows, width) int32: the first `width` images of each row, then -1."""
        counts = np.minimum(np.diff(self.starts), width)
        if len(self.numbers) == len(self.ids) * width and (counts == width).all():
            return self.numbers.reshape(-1, width)
        table = np.full((len(self.ids), width), -1, np.int32)
        filled = np.arange(width) < counts[:, None]
        table[filled] = self.numbers[(self.starts[:-1, None] + np.arange(width))[filled]]
        return table


def read_image_lists(path: Path, index_ids: np.ndarray, *more_columns: str) -> tuple[ImageLists, list[np.ndarray]]:
    """Read id,images and further columns; every image id becomes its number in `index_ids`.

    Returns the lists, and one (rows,) array of strings for each further column. Raises UserError for a missing column, a ragged row or
    a repeated id; an unknown image becomes -1: see `refuse_unknown`.
    """
    table = read_csv(path, ["id", "images", *more_columns])
    lookup = IdNumbers(*_bytes(pa.array(index_ids, pa.string())))
    parts = [lookup.parse(*_bytes(chunk)) for chunk in table["images"].chunks]  # chunk by chunk: offsets are 32 bits wide
    ids = np.asarray(table["id"].to_pylist(), dtype=object)
    refuse_repeated(ids, path)
    counts = [np.diff(starts) for _, starts in parts]
    starts = np.concatenate([[0], np.cumsum(np.concatenate([[], *counts]))]).astype(np.int64)
    numbers = np.concatenate([np.empty(0, np.int32), *(numbers for numbers, _ in parts)])
    return ImageLists(ids, numbers, starts), [np.asarray(table[name].to_pylist(), dtype=object) for name in more_columns]


def refuse_unknown(lists: ImageLists, path: Path) -> None:
    """Raise UserError for the first image id that the index does not hold."""
    unknown = np.flatnonzero(lists.numbers < 0)
    if len(unknown):
        row = int(np.searchsorted(lists.starts, unknown[0], side="right")) - 1
        images = read_csv(path, ["images"])["images"][row].as_py()
        image = words(images)[unknown[0] - lists.starts[row]]
        raise UserError(
            f"unknown index image '{shown(image)}' for query '{shown(lists.ids[row])}' ({len(unknown)} unknown in all)",
            where=f"{path}, row {row + 2}",
            next="use the ids of index.csv of the same dataset",
        )


def _bytes(strings: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """The UTF-8 bytes of an Arrow array and the offsets of its n strings, without a copy."""
    _, offsets, text = strings.buffers()
    offsets = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1] if offsets else np.zeros(1, np.int32)
    return np.frombuffer(text, np.uint8) if text else np.empty(0, np.uint8), offsets
