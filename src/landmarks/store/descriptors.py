"""Global descriptors on disk: shards of float16 rows, made and resumed shard by shard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.errors import UserError, shown
from landmarks.ops.rows import LazyRows, Rows, chosen_rows, stacked_rows
from landmarks.ops.vectors import unusable_rows
from landmarks.store.artefact import read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array, write_json
from landmarks.store.json_files import read_texts
from landmarks.store.tables import positions, read_ids

Matrix = TypeVar("Matrix", np.ndarray, LazyRows)


@dataclass(frozen=True)
class Descriptors:
    """ids (n,) strings; matrix (n, dimensions) floating point, one row an id."""

    ids: np.ndarray
    matrix: Rows

    def for_ids(self, ids: np.ndarray) -> Descriptors:
        """The descriptors of `ids`, in that order; ids without one (skipped images) are left out."""
        if len(ids) == len(self.ids) and (ids == self.ids).all():
            return self
        found = positions(ids, self.ids)
        return Descriptors(ids[found >= 0], chosen_rows(self.matrix, found[found >= 0]))


def shard_path(folder: Path, shard: int) -> Path:
    """The file of one shard's rows."""
    return folder / f"{shard:05d}.npy"


def write_shard(folder: Path, shard: int, matrix: np.ndarray, skipped: dict[str, str]) -> None:
    """Write rows (n, dimensions) as float16; `skipped` says which ids of the shard have no row, and why."""
    listed = shard_path(folder, shard).with_suffix(".skipped.json")
    if skipped:
        write_json(listed, skipped)
    else:
        listed.unlink(missing_ok=True)  # of an interrupted run; those pictures have been fixed since
    write_array(shard_path(folder, shard), matrix.astype(np.float16))


def has_skipped(folder: Path, shard: int) -> bool:
    """Whether pictures of the shard were left out."""
    return shard_path(folder, shard).with_suffix(".skipped.json").exists()


def seal_shards(folder: Path, ids: np.ndarray) -> dict[str, str]:
    """Write ids.csv once every shard is there; returns the skipped ids with their reasons."""
    skipped = {
        id: reason
        for path in sorted(folder.glob("*.skipped.json"))
        for id, reason in read_texts(path, "a list of skipped images", next=f"delete {folder}, then {next_command('extract')}").items()
    }
    write_csv(folder / "ids.csv", pd.DataFrame({"id": [id for id in ids if id not in skipped]}))
    return skipped


def read_descriptors(folder: Path) -> Descriptors:
    """A finished folder of shards, read when rows are asked for. Raises UserError where it is not finished."""
    manifest = read_manifest(folder)
    ids = read_ids(folder / "ids.csv")
    paths, nothing = sorted(folder.glob("[0-9]*.npy")), np.zeros((0, manifest.get("dimensions", 0)), np.float16)
    lengths = [len(read_array(path, mapped=True)) for path in paths]
    matrix = stacked_rows(lengths or [0], lambda number: read_array(paths[number], mapped=True) if paths else nothing)
    return Descriptors(ids, check_descriptors(ids, matrix, folder))


def read_user_descriptors(folder: Path, split: str, ids: np.ndarray) -> Descriptors:
    """<folder>/<split>.npy, mapped from disk, rows in the order of `ids`. Raises UserError where rows and ids disagree."""
    path = folder / f"{split}.npy"
    return Descriptors(ids, check_descriptors(ids, read_array(path, mapped=True), path))


def check_descriptors(ids: np.ndarray | None, matrix: Matrix, where: Path) -> Matrix:
    """The matrix itself. Raises UserError unless it has one row an id, of finite numbers that are not all zero; ids: None = any rows."""
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.floating):
        raise UserError(
            f"descriptors must be (images, dimensions) of floating point, not {matrix.shape} of {matrix.dtype}",
            where=where,
            next="write them again with numpy.save",
        )
    if ids is not None and len(matrix) != len(ids):
        raise UserError(
            f"{len(matrix)} descriptors for {len(ids)} ids", where=where, next="write one row for each row of the table, in its order"
        )
    bad = unusable_rows(matrix)
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"descriptor of '{shown(row if ids is None else ids[row])}' is zero or holds NaN or infinity",
            where=f"{where}, row {row}",
            next="extract it again, or remove the image from its table",
        )
    return matrix
