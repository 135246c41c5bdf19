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


def stacked_rows(lengths: Sequence[int], part: Callable[[int], np.ndarray]) -> LazyRows:
    """The rows of several arrays, one or more, as one matrix.

    lengths  rows of each
    part     number -> that array, (its length, d), read or mapped; it is asked for each time that rows of it are, and not kept:
             thousands of files are not open at once
    """
    starts, none = np.cumsum([0, *lengths]), part(0)[:0].copy()

    def read(rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            found = np.empty((rows.stop - rows.start, none.shape[1]), none.dtype)
            first, last = int(np.searchsorted(starts, rows.start, side="right")) - 1, int(np.searchsorted(starts, rows.stop))
            for number in range(first, last):
                begin, end = max(rows.start, int(starts[number])), min(rows.stop, int(starts[number + 1]))
                found[begin - rows.start : end - rows.start] = part(number)[begin - starts[number] : end - starts[number]]
            return found
        found = np.empty((len(rows), none.shape[1]), none.dtype)
        owners = np.searchsorted(starts, rows, side="right") - 1
        for owner in np.unique(owners).tolist():
            mine = owners == owner
            found[mine] = part(owner)[rows[mine] - starts[owner]]
        return found

    return LazyRows((int(starts[-1]), none.shape[1]), none.dtype, read)


def chosen_rows(matrix: Rows, rows: np.ndarray) -> Rows:
    """`matrix[rows]`, which stays unread where the matrix is."""
    if isinstance(matrix, LazyRows):
        return LazyRows((len(rows), matrix.shape[1]), matrix.dtype, lambda part: matrix[rows[part]])
    return matrix[rows]
