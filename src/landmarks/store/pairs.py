"""Verified pairs on disk: appended block by block, each pair once, looked up by the row numbers of its two images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.errors import UserError, shown
from landmarks.store.artefact import Artefact
from landmarks.store.csv_files import write_csv
from landmarks.store.files import read_array, write_array

# model: the matrix that maps a point of the query to the index image, as ops/verification.py gives it; zeros where there is none
PAIR = np.dtype([("query", "<i4"), ("index", "<i4"), ("matches", "<u2"), ("inliers", "<u2"), ("model", "<f4", (3, 3))])
_LOOKED_UP_FIELDS = ("query", "index", "matches", "inliers")
_LOOKED_UP = np.dtype([(name, PAIR[name]) for name in _LOOKED_UP_FIELDS])


class PairTable:
    """The verified pairs of two splits by one recipe: a pair in the table is never verified again.

    parent     <run>/pairs/<model>; the table's own folder in it is named after the splits and the recipe, so that tables of several
               recipes are kept side by side
    name       the two splits, such as "test-index"
    query_ids  (n_query,) strings, index_ids (n_index,): pairs are pairs of row numbers of these
    settings   the settings of the verification (JSON values)
    inputs     name -> fingerprint of the local features

    In the folder: query_ids.csv, index_ids.csv, and blocks 00000.npy, ... of PAIR records in the order they were verified.
    """

    def __init__(
        self,
        parent: Path,
        name: str,
        query_ids: np.ndarray,
        index_ids: np.ndarray,
        settings: dict[str, Any],
        inputs: dict[str, str],
    ):
        inputs = inputs | {"query_ids": _digest(query_ids), "index_ids": _digest(index_ids)}
        recipe = Artefact(parent, "verify", settings, inputs).fingerprint
        self._artefact = Artefact(parent / f"{name}-{recipe[:8]}", "verify", settings, inputs)
        self._ids = {"query_ids": query_ids, "index_ids": index_ids}
        self._artefact.is_complete()  # refuses blocks that have changed since
        paths = sorted(path for path in self.folder.glob("[0-9]*.npy") if path.stem.isdecimal())
        self._next_block = 1 + int(paths[-1].stem) if paths else 0
        self._columns = {name: np.empty(0, np.uint16) for name in ("matches", "inliers")}
        self._keys, self._order = np.empty(0, np.int64), np.empty(0, np.int64)
        self._new: list[np.ndarray] = []
        for path in paths:
            self._note(self._checked(read_array(path), path))
        self._begun = False

    @property
    def folder(self) -> Path:
        return self._artefact.folder

    def __len__(self) -> int:
        self._sort()
        return len(self._keys)

    def rows(self, query: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The row of each pair in the table: (p,) int64, -1 = not verified.

        query, index  (p,) integers, row numbers of query_ids and index_ids
        """
        self._sort()
        wanted = self._key(query, index)
        if len(self._keys) == 0:
            return np.full(len(wanted), -1, np.int64)
        # Looked up in the order of their keys, pairs are found 25 times faster than in random order.
        by_key = np.argsort(wanted) if (wanted[1:] < wanted[:-1]).any() else slice(None)
        places = np.empty(len(wanted), np.int64)
        places[by_key] = np.minimum(np.searchsorted(self._keys, wanted[by_key]), len(self._keys) - 1)
        return np.where(self._keys[places] == wanted, self._order[places], -1)

    @property
    def matches(self) -> np.ndarray:
        """(n,) uint16 of every pair, in the order of the table."""
        self._sort()
        return self._columns["matches"]

    @property
    def inliers(self) -> np.ndarray:
        """(n,) uint16, as `matches`."""
        self._sort()
        return self._columns["inliers"]

    def begin(self, *, shared: bool = False) -> None:
        """Prepare the folder for blocks; shared: for the other processes of a run whose first has begun."""
        if shared:
            self._artefact.share()
        elif not self._begun:
            self._begin()

    def next_blocks(self, count: int) -> list[Path]:
        """The files of the next so many blocks."""
        return [self.folder / f"{self._next_block + number:05d}.npy" for number in range(count)]

    def add(self, path: Path, block: np.ndarray) -> None:
        """Write `block` (b,) PAIR as one of the next blocks, atomically. Its pairs must not be in the table."""
        write_array(path, block)

    def take_in(self, paths: list[Path]) -> None:
        """The blocks in these files, whichever process wrote them, are looked up from now on."""
        for path in paths:
            self._note(self._checked(read_array(path), path))
        self._next_block += len(paths)

    def finish(self, **facts: Any) -> None:
        """Write the manifest: everything that was to be verified so far is in the table.

        Also where a run was killed after its last pair and before this: a table without a manifest would never be finished.
        """
        if self._begun or (len(self) and not self._artefact.is_complete()):
            if not self._begun:
                self._begin()
            self._artefact.finish(pairs=len(self), **facts)
            self._begun = False

    def _begin(self) -> None:
        self._artefact.begin()
        for name, ids in self._ids.items():
            write_csv(self.folder / f"{name}.csv", pd.DataFrame({"id": ids}))
        self._begun = True

    def _key(self, query: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.asarray(query, np.int64) * len(self._ids["index_ids"]) + index

    def _checked(self, block: np.ndarray, path: Path) -> np.ndarray:
        """The block itself. Raises UserError for one that holds no pairs of these splits: a number too large would be another pair."""
        if block.ndim != 1 or block.dtype.newbyteorder("<") != PAIR:
            what = f"a block {block.shape} of {shown(block.dtype, 60)}, not of verified pairs"
        elif any(len(block) and not 0 <= block[side].min() <= block[side].max() < len(ids) for side, ids in self._sides()):
            what = "pairs of images that the splits do not have"
        else:
            return block
        raise UserError(what, where=path, next=f"delete {self.folder}, then {next_command('rerank')}")

    def _sides(self) -> list[tuple[str, np.ndarray]]:
        return [("query", self._ids["query_ids"]), ("index", self._ids["index_ids"])]

    def _note(self, block: np.ndarray) -> None:
        """Keep in memory the fields that are looked up, a third of a record."""
        part = np.empty(len(block), _LOOKED_UP)
        for name in _LOOKED_UP_FIELDS:
            part[name] = block[name]
        self._new.append(part)

    def _sort(self) -> None:
        """Merge the pairs that were read or appended since the last look-up into the sorted keys."""
        if not self._new:
            return
        new, self._new = np.concatenate(self._new), []
        keys = np.concatenate([self._keys[np.argsort(self._order)], self._key(new["query"], new["index"])])
        self._columns = {name: np.concatenate([column, new[name]]) for name, column in self._columns.items()}
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]


def _digest(ids: np.ndarray) -> str:
    return hashlib.blake2b("\n".join(ids).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
