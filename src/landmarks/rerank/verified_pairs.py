"""Verified pairs of two splits: looked up where they are kept, verified and kept where they are not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks.config import RunSettings, VerificationSettings
from landmarks.device import choose_device
from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.verification import Verified, pair_seed, verify_pairs
from landmarks.ops.verification_torch import verify_pairs_torch
from landmarks.processes import Processes
from landmarks.progress import progress
from landmarks.store.artefact import read_manifest
from landmarks.store.local_features import LocalStore, local_folder
from landmarks.store.pairs import PAIR, PairTable

KEPT_TOGETHER = 16384  # pairs in a file, at most: what a run that is cut off loses, for each process
PARTS = 64  # into which few pairs are divided, whatever the number of processes: their files are the same for any
ON_A_GPU = 256  # pairs at a time: 2 GB of similarities for 1000 features an image; halved where the memory is not enough
VERIFIED_TOGETHER = 1024  # pairs whose features are in memory at once: 0.3 GB for 1000 float16 features of 128 dimensions an image

ALONE = Processes()


class Counts(NamedTuple):
    """matches and inliers, each (p,) uint16."""

    matches: np.ndarray
    inliers: np.ndarray


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
        self._processes, self._on_a_gpu = processes, ON_A_GPU
        self._settings, self._what = settings, f"verify {splits[0]}-{splits[1]}"
        self._device = choose_device(run.device)[0]
        on_gpu = {"processor": "gpu"} if self._device.type == "cuda" else {}  # which rounds otherwise: the two are never mixed
        self._query_ids, self._index_ids = query_ids, index_ids
        self._queries = LocalStore(local_folder(run.folder, model, splits[0]))
        self._index = LocalStore(local_folder(elsewhere or run.folder, model, splits[1]))
        self._table = PairTable(
            run.folder / "pairs" / model,
            "-".join(splits),
            query_ids,
            index_ids,
            {key: value for key, value in settings.recipe().items() if key != "model"} | on_gpu,
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
        """Verify them in parts of one file each, which the processes divide."""
        processes, done, began = self._processes, len(self._table), time.perf_counter()
        each = min(KEPT_TOGETHER, max(VERIFIED_TOGETHER, -(-len(query) // PARTS)))
        parts = [slice(start, min(start + each, len(query))) for start in range(0, len(query), each)]
        paths = self._table.next_blocks(len(parts))
        processes.first_alone(self._table.begin)
        if not processes.first:
            self._table.begin(shared=True)
        own = list(processes.own(list(zip(paths, parts, strict=True))))
        total = sum(part.stop - part.start for _, part in own)
        what = self._what + (f", 1 of {processes.count} processes" if processes.count > 1 else "")
        rows = self._rows(self._queries, self._query_ids, query), self._rows(self._index, self._index_ids, index)
        with progress(None, what, "pair", total=done + total, done=done, hidden=not processes.first) as bar:
            for path, part in own:
                records = []
                for start in range(part.start, part.stop, VERIFIED_TOGETHER):
                    block = slice(start, min(start + VERIFIED_TOGETHER, part.stop))
                    records.append(self._block(query[block], index[block], rows[0][block], rows[1][block]))
                    bar.update(len(records[-1]))
                self._table.add(path, np.concatenate(records))
        processes.wait_for(paths, "the pairs of the other processes")
        self._table.take_in(paths)
        if processes.first:
            self._table.finish(pairs_per_second=round(len(query) / (time.perf_counter() - began), 1))
        processes.meet()

    def _block(self, query: np.ndarray, index: np.ndarray, query_rows: np.ndarray, index_rows: np.ndarray) -> np.ndarray:
        (queries, of_query), (images, of_index) = (np.unique(rows, return_inverse=True) for rows in (query_rows, index_rows))
        ids = zip(self._query_ids[query], self._index_ids[index], strict=True)
        seeds = np.array([pair_seed(*pair) for pair in ids], np.int64)
        features = self._queries.take(queries), self._index.take(images)
        pairs = np.column_stack([of_query, of_index])
        if self._device.type == "cuda":
            verified = self._on_gpu(features, pairs, seeds)
        else:
            verified = verify_pairs(*features, pairs, seeds, self._settings)
        records = np.empty(len(query), PAIR)
        records["query"], records["index"] = query, index
        records["matches"], records["inliers"], records["model"] = verified.matches, verified.inliers, verified.models
        return records

    def _on_gpu(self, features: tuple[LocalFeatures, LocalFeatures], pairs: np.ndarray, seeds: np.ndarray) -> Verified:
        import torch

        from landmarks.cuda import is_out_of_memory

        while True:
            try:
                return verify_pairs_torch(*features, pairs, seeds, self._settings, self._device, self._on_a_gpu)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self._on_a_gpu == 1:
                    raise UserError(
                        "the GPU's memory is not enough for one pair of images",
                        where="extract.local.max_features",
                        next="fewer features, or run.device=cpu; and no other program on the GPU",
                    ) from None
            torch.cuda.empty_cache()
            self._on_a_gpu //= 2

    def _rows(self, store: LocalStore, ids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Where the features of the images `ids[numbers]` lie in the store."""
        wanted, back = np.unique(numbers, return_inverse=True)
        return store.require(ids[wanted])[back]
