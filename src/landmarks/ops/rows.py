"""Matrices of which a part is in memory at a time: their rows are read, or computed, when they are asked for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

LARGE = 1 << 28  # numbers of a matrix that is not kept in memory: 1 GB as float32
BLOCK = 65536  # rows converted to float32 at a time, so that no second copy of a float16 matrix is in memory


class LazyRows:
    """A matrix (n, d) of `dtype`; `matrix[rows]` is an array, for a slice without a step and for row numbers; `np.asarray` makes it whole.

    read  is given the slice, with a beginning and an end, or the numbers
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: np.dtype, read: Callable[[slice | np.ndarray], np.ndarray]):
        self.shape, self.dtype, self.size, self._read = shape, dtype, shape[0] * shape[1], read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise ValueError(f"rows are read one after the other, not with a step of {step}")
            return self._read(slice(start, max(start, stop)))
        return self._read(np.arange(len(self))[rows])

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        whole = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for start, block in zip(range(0, len(self), BLOCK), row_blocks(self)):
            whole[start : start + BLOCK] = block
        return whole


Rows: TypeAlias = np.ndarray | LazyRows


def scratch_array(shape: tuple[int, int], dtype: type, folder: Path | None) -> np.ndarray:
    """An array to be filled, a large one in a file of `folder` without a name, which goes with it: its pages can leave memory.

    folder  None: in memory
    Raises OSError where the disk is full.
    """
    if folder is None or shape[0] * shape[1] <= LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:  # mapped, it outlives its handle
        os.posix_fallocate(
            file.fileno(), 0, shape[0] * shape[1] * np.dtype(dtype).itemsize
        )  # a full disk is an error here, and a signal later
        return np.memmap(file, dtype, shape=shape)


def row_blocks(matrix: Rows) -> Iterator[np.ndarray]:
    """The matrix, BLOCK rows at a time; one block without rows where it has none."""
    yield from (matrix[start : start + BLOCK] for start in range(0, max(1, len(matrix)), BLOCK))


def stacked_rows(parts: Sequence[np.ndarray]) -> LazyRows:
    """The rows of several arrays (n of each, d), one or more, as one matrix; the arrays may be mapped from disk."""
    starts = np.cumsum([0, *map(len, parts)])

    def read(rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            first, last = np.searchsorted(starts, rows.start, side="right") - 1, np.searchsorted(starts, rows.stop)
            near = zip(starts[first:last].tolist(), parts[first:last])
            return np.concatenate([parts[0][:0], *(part[max(0, rows.start - start) : rows.stop - start] for start, part in near)])
        found = np.empty((len(rows), parts[0].shape[1]), parts[0].dtype)
        owners = np.searchsorted(starts, rows, side="right") - 1
        for owner in np.unique(owners):
            mine = owners == owner
            found[mine] = parts[owner][rows[mine] - starts[owner]]
        return found

    return LazyRows((int(starts[-1]), parts[0].shape[1]), parts[0].dtype, read)


def chosen_rows(matrix: Rows, rows: np.ndarray) -> Rows:
    """`matrix[rows]`, which stays unread where the matrix is."""
    if isinstance(matrix, LazyRows):
        return LazyRows((len(rows), matrix.shape[1]), matrix.dtype, lambda part: matrix[rows[part]])
    return matrix[rows]
