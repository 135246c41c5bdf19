"""The result type of search and of every re-ranking step, and the vectors it was searched with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Space:
    """The vectors of the three splits, compared by inner product: the more similar two images, the larger.

    test (n_query, d), index (n_index, d), train (n_train, d): floating point, nearly always of length 1
    folder  where they and their neighbours are stored; None while they are only in memory
    made    fingerprints of what they were made from
    Both belong to the stored vectors alone: `replace(space, test=...)` is a space in memory.
    """

    test: np.ndarray
    index: np.ndarray
    train: np.ndarray
    folder: Path | None = field(default=None, init=False)
    made: dict[str, str] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        splits = ", ".join(f"{split} {self.vectors(split).shape[0]:,}" for split in ("test", "index", "train"))
        return f"Space of {self.test.shape[1]} dimensions: {splits} vectors"

    def __post_init__(self):
        shapes = [self.test.shape, self.index.shape, self.train.shape]
        if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes):
            raise ValueError(f"vectors of different dimensions: {shapes}")

    @classmethod
    def from_splits(cls, vectors: Mapping[str, np.ndarray]) -> Space:
        """The space of "test", "index" and "train" vectors that are only in memory."""
        return cls(vectors["test"], vectors["index"], vectors["train"])

    @classmethod
    def stored(cls, vectors: Mapping[str, np.ndarray], folder: Path, made: dict[str, str]) -> Space:
        """The space of vectors that lie in `folder`, made from what has the fingerprints `made`."""
        space = cls.from_splits(vectors)
        object.__setattr__(space, "folder", folder)
        object.__setattr__(space, "made", made)
        return space

    def vectors(self, split: str) -> np.ndarray:
        """Those of "test", "index" or "train"."""
        return {"test": self.test, "index": self.index, "train": self.train}[split]


@dataclass(frozen=True)
class Ranking:
    """For each query its ranked index images, best first.

    query_ids  (n_query,) strings
    index_ids  (n_index,) strings
    indices    (n_query, k) int32 into index_ids, -1 = none, no index twice in a row; -1 only at the end of a row
    scores     (n_query, k) float32, non-increasing along a row (-inf where indices is -1),
               comparable only within a row
    space      the vectors it was searched with, rows in the order of query_ids and index_ids; None = those of the first search
    before     those of the search before that one; None = those of the first search
    """

    query_ids: np.ndarray
    index_ids: np.ndarray
    indices: np.ndarray
    scores: np.ndarray
    space: Space | None = field(default=None, repr=False, compare=False)
    before: Space | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        indices, scores = self.indices, self.scores
        if indices.shape != scores.shape or indices.ndim != 2 or len(indices) != len(self.query_ids):
            raise ValueError(f"indices {indices.shape}, scores {scores.shape} and {len(self.query_ids)} queries disagree")
        if indices.dtype != np.int32 or scores.dtype != np.float32:
            raise ValueError(f"indices must be int32 and scores float32, not {indices.dtype} and {scores.dtype}")
        if indices.size == 0:
            return
        if indices.min() < -1 or indices.max() >= len(self.index_ids):
            raise ValueError(f"indices outside -1..{len(self.index_ids) - 1}")
        none = indices < 0
        if (none[:, :-1] & ~none[:, 1:]).any():
            raise ValueError("-1 before the end of a row")
        if not (scores[:, :-1] >= scores[:, 1:]).all():  # also catches NaN
            raise ValueError("scores increase along a row, or are not numbers")
        ordered = np.sort(indices, axis=1)
        if ((ordered[:, :-1] == ordered[:, 1:]) & (ordered[:, 1:] >= 0)).any():
            raise ValueError("an index image twice in one row")

    def __repr__(self) -> str:
        return (
            f"Ranking of {len(self.query_ids):,} queries over {len(self.index_ids):,} index images, "
            f"{self.indices.shape[1] if self.indices.ndim == 2 else 0} in each list"
        )

    def to_frame(self) -> pd.DataFrame:
        """A row an image of a list: query_id, rank (1 = first), index_id, score."""
        import pandas as pd

        queries, places = np.nonzero(self.indices >= 0)
        columns = {"query_id": self.query_ids[queries], "rank": places + 1, "index_id": self.index_ids[self.indices[queries, places]]}
        return pd.DataFrame(columns | {"score": self.scores[queries, places]})

    def with_order(self, indices: np.ndarray) -> Ranking:
        """The same queries with re-ordered `indices` (n_query, k) int32.

        The new scores only encode the place: k for the first, 1 for the last, -inf for none. A re-ordering by
        labels or inliers has no similarity of its own.
        """
        places = np.arange(indices.shape[1], 0, -1, dtype=np.float32)
        scores = np.where(indices >= 0, places, np.float32(-np.inf)).astype(np.float32, copy=False)
        return replace(self, indices=indices, scores=scores)
