"""Verified pairs of two splits: looked up where they are kept, verified and kept where they are not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from landmarks.config import RunSettings, VerificationSettings
from landmarks.device import choose_device
from landmarks.ops.verification import pair_seed
from landmarks.processes import Processes
from landmarks.progress import progress
from landmarks.rerank.pair_verifier import PairVerifier
from landmarks.store.artefact import read_manifest
from landmarks.store.local_features import LocalStore, local_folder
from landmarks.store.pairs import PAIR, PairTable

KEPT_TOGETHER = 16384  # pairs in a file, at most: what a run that is cut off loses, for each process
PARTS = 64  # into which few pairs are divided, whatever the number of processes: their files are the same for any
BY_CORES = 128  # pairs that the cores verify together beside a GPU: after so many they see whether the run was interrupted
VERIFIED_TOGETHER = 1024  # pairs whose features are in memory at once: 0.3 GB for 1000 float16 features of 128 dimensions an image

ALONE = Processes()


class Counts(NamedTuple):
    """matches and inliers, each (p,) uint16."""

    matches: np.ndarray
    inliers: np.ndarray


class _Part(NamedTuple):
    """Pairs of one file: their images' rows (p,) among the ids of either split, and in the stores of features."""

    path: Path
    queries: np.ndarray
    images: np.ndarray
    query_rows: np.ndarray
    index_rows: np.ndarray


class VerifiedPairs:
    """Inliers of pairs of images, by one model's local features.

    run        where pairs are kept and local features are, and on which device pairs are verified
    model      whose local features are matched
    splits     of the first and of the second image: "test" and "index" for queries and what they found
    query_ids  (n_query,) strings, index_ids (n_index,): pairs are pairs of row numbers of these
    elsewhere  the run folder that holds the second split's local features; unset: that of `run`
    processes  that share the pairs: each calls `counts` with the same ones; unset: this one alone

    Raises UserError where no local features of a split were made.
    """

    def __init__(
        self,
        run: RunSettings,
        settings: VerificationSettings,
        model: str,
        splits: tuple[str, str],
        query_ids: np.ndarray,
        index_ids: np.ndarray,
        elsewhere: Path | None = None,
        processes: Processes = ALONE,
    ):
        self._processes, self._what = processes, f"verify {splits[0]}-{splits[1]}"
        self._verifier = PairVerifier(settings, choose_device(run.device)[0])
        # A GPU rounds otherwise: a pair's processor follows from these and its query, never from which was free.
        self._cpu_share = settings.cpu_share if self._verifier.on_gpu else 0.0
        processor: dict[str, Any] = {"processor": "gpu"} if self._verifier.on_gpu else {}
        processor |= {"cpu_share": self._cpu_share} if self._cpu_share else {}
        self._query_ids, self._index_ids = query_ids, index_ids
        self._queries = LocalStore(local_folder(run.folder, model, splits[0]))
        self._index = LocalStore(local_folder(elsewhere or run.folder, model, splits[1]))
        self._table = PairTable(
            run.folder / "pairs" / model,
            "-".join(splits),
            query_ids,
            index_ids,
            {key: value for key, value in settings.recipe().items() if key != "model"} | processor,
            {"query features": self._queries.fingerprint, "index features": self._index.fingerprint},
        )

    @property
    def pairs_per_second(self) -> float | None:
        """As measured when pairs were last verified; None where none ever were, or the run was killed before it was noted."""
        return read_manifest(self._table.folder).get("pairs_per_second") if len(self._table) else None

    def counts(self, query: np.ndarray, index: np.ndarray) -> Counts:
        """Matches and inliers of pairs; those that are not kept yet are verified first, with progress.

        query, index  (p,) integers; a pair may occur more than once
        Raises UserError for an image without local features.
        """
        self._processes.meet()  # all have opened the table before one adds to it
        rows = self._table.rows(query, index)
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            key = query[missing].astype(np.int64) * len(self._index_ids) + index[missing]
            first = missing[np.sort(np.unique(key, return_index=True)[1])]  # each once, in the order given: neighbours share features
            self._verify(query[first], index[first])
            rows = self._table.rows(query, index)
        else:
            self._processes.first_alone(self._table.finish)
        return Counts(self._table.matches[rows], self._table.inliers[rows])

    def _verify(self, query: np.ndarray, index: np.ndarray) -> None:
        """Verify them in parts of one file each, which the processes divide, and each process between its GPU and its cores."""
        processes, done, began = self._processes, len(self._table), time.perf_counter()
        each = min(KEPT_TOGETHER, max(VERIFIED_TOGETHER, -(-len(query) // PARTS)))
        of_cores = _chosen(query, self._cpu_share)
        pieces = [
            of_all[start : start + each] for of_all in map(np.flatnonzero, (of_cores, ~of_cores)) for start in range(0, len(of_all), each)
        ]
        paths = self._table.next_blocks(len(pieces))
        processes.first_alone(self._table.begin)
        if not processes.first:
            self._table.begin(shared=True)
        rows = self._rows(self._queries, self._query_ids, query), self._rows(self._index, self._index_ids, index)
        parts = [_Part(path, *(of_all[piece] for of_all in (query, index, *rows))) for path, piece in zip(paths, pieces, strict=True)]
        first_of_device = -(-int(of_cores.sum()) // each)
        by_cores, by_device = processes.own(parts[:first_of_device]), processes.own(parts[first_of_device:])
        total = sum(len(part.queries) for part in (*by_cores, *by_device))
        what = self._what + (f", 1 of {processes.count} processes" if processes.count > 1 else "")
        with (
            progress(None, what, "pair", total=done + total, done=done, hidden=not processes.first) as bar,
            ThreadPoolExecutor(1) as beside,
        ):
            stopped = Event()
            try:
                cores = beside.submit(self._make, by_cores, bar, stopped, by_cores=True)
                cores.add_done_callback(lambda ended: stopped.set() if ended.exception() else None)
                self._make(by_device, bar, stopped)
                cores.result()
            except BaseException:
                stopped.set()
                raise
        processes.wait_for(paths, "the pairs of the other processes")
        self._table.take_in(paths)
        if processes.first:
            self._table.finish(pairs_per_second=round(len(query) / (time.perf_counter() - began), 1))
        processes.meet()

    def _make(self, parts: Sequence[_Part], bar: tqdm, stopped: Event, *, by_cores: bool = False) -> None:
        together = BY_CORES if by_cores else VERIFIED_TOGETHER
        for part in parts:
            records = []
            for start in range(0, len(part.queries), together):
                if stopped.is_set():
                    return
                block = (of_all[start : start + together] for of_all in part[1:])
                records.append(self._block(*block, by_cores=by_cores))
                with bar.get_lock():
                    bar.update(len(records[-1]))
            self._table.add(part.path, np.concatenate(records))

    def _block(self, query: np.ndarray, index: np.ndarray, query_rows: np.ndarray, index_rows: np.ndarray, *, by_cores: bool) -> np.ndarray:
        (queries, of_query), (images, of_index) = (np.unique(rows, return_inverse=True) for rows in (query_rows, index_rows))
        ids = zip(self._query_ids[query], self._index_ids[index], strict=True)
        seeds = np.array([pair_seed(*pair) for pair in ids], np.int64)
        pairs = np.column_stack([of_query, of_index])
        verified = self._verifier.verify(self._queries.take(queries), self._index.take(images), pairs, seeds, by_cores=by_cores)
        records = np.empty(len(query), PAIR)
        records["query"], records["index"] = query, index
        records["matches"], records["inliers"], records["model"] = verified.matches, verified.inliers, verified.models
        return records

    def _rows(self, store: LocalStore, ids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Where the features of the images `ids[numbers]` lie in the store."""
        wanted, back = np.unique(numbers, return_inverse=True)
        return store.require(ids[wanted])[back]


def _chosen(queries: np.ndarray, share: float) -> np.ndarray:
    """(p,) bool: evenly that share of row numbers of queries (p,), by these alone, so that a run that was cut off chooses the same."""
    return np.floor((queries + 1) * share) > np.floor(queries * share)
