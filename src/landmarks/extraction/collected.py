"""Results of pictures in any order -> whole shards in theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from landmarks.errors import UserError
from landmarks.extraction.outputs import Described
from landmarks.ops.local_features import LocalFeatures


class Found(NamedTuple):
    """Of the pictures at `positions` (n,): descriptors (n, d) float32 or None, local features of each; or why one is unreadable."""

    positions: np.ndarray
    descriptors: np.ndarray | None
    local: list[LocalFeatures]
    error: UserError | None = None


class Collected:
    """Shards that fill up.

    ids         of each shard; positions count through all of them
    dimensions  of descriptors, 0: there are none
    local       whether there are local features
    """

    def __init__(self, ids: Sequence[np.ndarray], dimensions: int, *, local: bool):
        self._ids, self._dimensions, self._local = ids, dimensions, local
        self._ends = np.cumsum([len(one) for one in ids])
        self._missing = [len(one) for one in ids]
        self._found: list[list[Found]] = [[] for _ in ids]

    def shards(self, found: Iterable[Found], on_error: str) -> Iterator[Described]:
        """Each shard once it and those before it are complete. Raises UserError for the first unreadable picture of a shard whose turn
        it is (on_error: "stop"); "skip" leaves it out.
        """
        turn = 0
        for one in found:
            for shard, part in self._by_shard(one):
                self._found[shard].append(part)
                self._missing[shard] -= len(part.positions)
            while turn < len(self._ids):
                if on_error == "stop":
                    self._stop_at_error(turn)
                if self._missing[turn]:
                    break
                yield self._described(turn)
                turn += 1
        while turn < len(self._ids) and not self._missing[turn]:  # where there is no picture at all
            yield self._described(turn)
            turn += 1

    def _by_shard(self, one: Found) -> Iterator[tuple[int, Found]]:
        of_shard = np.searchsorted(self._ends, one.positions, side="right")
        for shard in np.unique(of_shard):
            rows = np.flatnonzero(of_shard == shard)
            descriptors = None if one.descriptors is None else one.descriptors[rows]
            local = [one.local[row] for row in rows] if one.local else []
            yield int(shard), Found(one.positions[rows], descriptors, local, one.error)

    def _stop_at_error(self, shard: int) -> None:
        errors = [(int(part.positions[0]), part.error) for part in self._found[shard] if part.error is not None]
        if errors:
            _, error = min(errors, key=lambda item: item[0])
            raise UserError(error.what, where=error.where, next=f"{error.next}, or extract.on_error=skip")

    def _described(self, shard: int) -> Described:
        parts, ids = self._found[shard], self._ids[shard]
        self._found[shard] = []
        start = int(self._ends[shard]) - len(ids)
        skipped = sorted((int(part.positions[0]) - start, part.error.what) for part in parts if part.error is not None)
        readable = [part for part in parts if part.error is None]
        positions = np.concatenate([np.empty(0, np.int64), *(part.positions for part in readable)]) - start
        order = np.argsort(positions)
        rows = [part.descriptors for part in readable if part.descriptors is not None]
        local = [one for part in readable for one in part.local]
        return Described(
            ids[positions[order]],
            np.concatenate([np.empty((0, self._dimensions), np.float32), *rows])[order] if self._dimensions else None,
            [local[place] for place in order] if self._local else None,
            {str(ids[position]): what for position, what in skipped},
        )
