"""Verified pairs on disk: appended block by block, each pair once, looked up by the numbers of its two images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.store.artefact import Artefact
from landmarks.store.files import read_array, write_array
from landmarks.store.tables import write_csv

# model: the matrix that maps a point of the query to the index image, as ops/verification.py gives it; zeros where there is none
PAIR = np.dtype([("query", "<i4"), ("index", "<i4"), ("matches", "<u2"), ("inliers", "<u2"), ("model", "<f4", (3, 3))])


class PairTable:
    """The verified pairs of two splits by one recipe: what is here is never verified again.

    parent     outputs/<run>/pairs/<model>; the table lies in a folder of it named after the splits and the recipe, so that
               tables of several recipes lie side by side
    name       of the two splits, such as "test-index"
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
        paths = sorted(self.folder.glob("[0-9]*.npy"))
        self._next_block = 1 + int(paths[-1].stem) if paths else 0
        self._keys, self._records = np.empty(0, np.int64), np.empty(0, PAIR)
        self._unsorted = [read_array(path) for path in paths]
        self._begun = False

    @property
    def folder(self) -> Path:
        return self._artefact.folder

    def __len__(self) -> int:
        return len(self._records) + sum(map(len, self._unsorted))

    def find(self, query: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The records of pairs: (p,) PAIR; where a pair is not here its `query` is -1 and all else 0.

        query, index  (p,) integers, row numbers
        """
        self._sort()
        wanted = self._key(query, index)
        found = np.zeros(len(wanted), PAIR)
        found["query"] = -1
        if len(self._keys) == 0:
            return found
        order = np.argsort(wanted)  # neighbours in the table are then looked up one after the other: 25 times faster than at random
        places = np.empty(len(wanted), np.int64)
        places[order] = np.minimum(np.searchsorted(self._keys, wanted[order]), len(self._keys) - 1)
        here = self._keys[places] == wanted
        found[here] = self._records[places[here]]
        return found

    def append(self, block: np.ndarray) -> None:
        """Keep `block` (b,) PAIR as one file: whole, or not at all. Its pairs must not be here already."""
        if not self._begun:
            self._artefact.begin()
            for name, ids in self._ids.items():
                write_csv(self.folder / f"{name}.csv", pd.DataFrame({"id": ids}))
            self._begun = True
        write_array(self.folder / f"{self._next_block:05d}.npy", block)
        self._next_block += 1
        self._unsorted.append(block)

    def finish(self, **facts: Any) -> None:
        """Say in the manifest that all that was asked for so far is here."""
        if self._begun:
            self._artefact.finish(pairs=len(self), **facts)
            self._begun = False

    def _key(self, query: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.asarray(query, np.int64) * len(self._ids["index_ids"]) + index

    def _sort(self) -> None:
        """Bring what was read or appended since the last look among the records, in the order of their keys."""
        if not self._unsorted:
            return
        records = np.concatenate([self._records, *self._unsorted])
        keys = self._key(records["query"], records["index"])
        order = np.argsort(keys, kind="stable")
        self._keys, self._records, self._unsorted = keys[order], records[order], []


def _digest(ids: np.ndarray) -> str:
    return hashlib.blake2b("\n".join(ids).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
