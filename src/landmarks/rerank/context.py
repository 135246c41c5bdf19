"""What a step may ask for beyond the ranking, made when first asked for and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import copy
from itertools import product
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from landmarks.config.chain import Chain
from landmarks.errors import UserError
from landmarks.ops import rows
from landmarks.ops.rows import Rows, scratch_array
from landmarks.ops.voting import Votes, label_votes
from landmarks.ranking import Ranking, Space
from landmarks.search.spaces import keep_neighbours, nearest, search, share_neighbours
from landmarks.store.tables import SPLITS

_NUMBERS = 1 << 25  # of the vectors that queries are compared with at a time: 0.1 GB

Made = TypeVar("Made")


class Context:
    """Vectors, neighbours and labels; the labels are numbers that mean something only here.

    base              the space of the first search
    landmark_ids      (n_train,) integers, the landmark of each row of base.train
    read_descriptors  split -> (n, d) float32 unit rows before whitening, in the order of that split's vectors
    use_gpu           whether GPUs search
    junk              difficulty -> for each query the index rows that its protocol leaves out; None where it leaves out none, and
                      for a step that does not say `reads_junk`
    count_inliers     two splits, rows of the one (p,) and of the other (p,) -> inliers (p,) of those pairs; None where no model has
                      local features
    scratch           the folder whose disk holds large vectors while they are made; None: memory does
    """

    def __init__(
        self,
        base: Space,
        landmark_ids: np.ndarray,
        read_descriptors: Callable[[str], Rows],
        use_gpu: bool = False,
        count_inliers: Callable[[str, str, np.ndarray, np.ndarray], np.ndarray] | None = None,
        junk: Callable[[str], list[np.ndarray]] | None = None,
        scratch: Path | None = None,
    ):
        self.base, self._read_descriptors, self.use_gpu, self.count_inliers = base, read_descriptors, use_gpu, count_inliers
        self.junk, self.landmark_ids, self._scratch = junk, landmark_ids, scratch
        self.labels = np.unique(landmark_ids, return_inverse=True)[1]  # 0, 1, ...: the landmarks' own numbers may be negative
        self.classes = int(self.labels.max(initial=-1)) + 1
        self.chain: Chain = ()
        self.attachments: dict[str, str] = {}
        self._votes: WeakKeyDictionary[Space, dict[tuple[str, int], Votes]] = WeakKeyDictionary()  # an ablation goes through many spaces
        self._neighbours: WeakKeyDictionary[Space, dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]] = WeakKeyDictionary()
        self._descriptors: dict[str, Rows] = {}
        self._made: dict[Hashable, Any] = {}
        self.pseudo_worlds: dict[tuple[str, int], tuple[Context, dict[str, Ranking]]] = {}  # of rerank/pseudo_world.py

    def after(self, chain: Chain) -> Context:
        """The same context for the step that follows `chain`: its `chain` is the steps so far, its `attachments` are empty."""
        context = copy(self)
        context.chain, context.attachments = chain, {}
        return context

    def attach(self, name: str, text: str) -> None:
        """A file of this name beside the step's ranking, if it is written to disk."""
        self.attachments[name] = text

    def inliers(self, of: str, among: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Of pairs of images, rows of two splits (p,) each: (p,) integers. Raises UserError where no model has local features."""
        if self.count_inliers is None:
            raise UserError(
                "local features are matched, and no model of the configuration has them",
                where="rerank",
                next="models.NAME.local={}, or leave the step out of the chain",
            )
        return self.count_inliers(of, among, first, second)

    def space(self, ranking: Ranking) -> Space:
        """The vectors that the ranking was searched with."""
        return self.base if ranking.space is None else ranking.space

    def space_before(self, ranking: Ranking) -> Space:
        """The vectors of the search before the one that the ranking was searched with; those of the first search have none before them."""
        return self.base if ranking.before is None else ranking.before

    def descriptors(self, split: str) -> Rows:
        """The split's descriptors (n, d) float32 as they were before whitening: "test", "index" or "train".

        Of a large split rows are computed when they are asked for; they are to be asked for in blocks.
        """
        if split not in self._descriptors:
            matrix = self._read_descriptors(split)
            self._descriptors[split] = matrix if matrix.size > rows.LARGE else np.asarray(matrix)
        return self._descriptors[split]

    def empty(self, images: int, dimensions: int, dtype: type = np.float16) -> np.ndarray:
        """(images, dimensions), to be filled with vectors block by block; of many images it is on disk (ops/rows.py)."""
        return scratch_array((images, dimensions), dtype, self._scratch)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What several steps of a chain need, made by the first of them."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def store(self, before: Space, made: Space, stored: Space) -> None:
        """A space that was made is on disk now: it leaves memory, and its neighbours are kept beside it.

        before  the space of the step before: neighbours of vectors that are still the same are those of the new space, too
        """
        self._made.update({key: stored for key, space in self._made.items() if space is made})
        for pair, found in self._neighbours.pop(made, {}).items():
            if all(made.vectors(split).dtype == stored.vectors(split).dtype for split in pair):  # else they are rounded now
                keep_neighbours(stored, *pair, *found)
        for pair in product(SPLITS, SPLITS):
            if _are_the_same(before, made, pair):
                share_neighbours(before, stored, *pair)

    def nearest(self, space: Space, of: str, among: str, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices (n, neighbours) int32 and similarities float32 of the nearest images of another split, or of the same one.

        Found once for vectors in memory, as for those on disk: several steps ask for the same neighbours.
        """
        if space.folder is not None:
            return nearest(space, of, among, neighbours, self.use_gpu)
        known = self._neighbours.setdefault(space, {})
        if (of, among) not in known or known[of, among][0].shape[1] < neighbours:
            known[of, among] = nearest(space, of, among, neighbours, self.use_gpu)
        indices, similarities = known[of, among]
        return np.ascontiguousarray(indices[:, :neighbours]), np.ascontiguousarray(similarities[:, :neighbours])

    def search_vectors(self, queries: np.ndarray, index: np.ndarray, neighbours: int, what: str) -> tuple[np.ndarray, np.ndarray]:
        """The nearest rows of `index` (search/spaces.py), with progress."""
        return search(queries, index, neighbours, what, self.use_gpu)

    def search(self, ranking: Ranking, space: Space) -> Ranking:
        """The ranking's queries searched again, in another space, for as many images.

        What was found, and neighbours of vectors that are those of the ranking's space, are known to `nearest`.
        """
        indices, scores = self.search_vectors(space.test, space.index, ranking.indices.shape[1], "search test in index")
        if space.folder is None:
            before, known = self.space(ranking), self._neighbours.setdefault(space, {})
            for pair, found in self._neighbours.get(before, {}).items():
                if _are_the_same(before, space, pair):
                    known.setdefault(pair, found)
            known["test", "index"] = indices, scores
        return Ranking(ranking.query_ids, ranking.index_ids, indices, scores, space, ranking.space)

    def search_first(self, query_ids: np.ndarray, index_ids: np.ndarray, neighbours: int) -> Ranking:
        """The ranking that a chain begins with: the queries searched in the base space."""
        indices, scores = self.search_vectors(self.base.test, self.base.index, neighbours, "search test in index")
        return Ranking(query_ids, index_ids, indices, scores)

    def similarities(self, ranking: Ranking, top: int) -> np.ndarray:
        """Of each query to the first `top` images of its list, (n_query, at most top) float32, -inf = none.

        Computed again: once a step has re-ordered a list, its scores may be places.
        """
        space, first = self.space(ranking), ranking.indices[:, :top]
        similarities = np.empty(first.shape, np.float32)
        queries = max(1, _NUMBERS // max(1, first.shape[1] * space.index.shape[1]))
        for start in range(0, len(first), queries):
            part = slice(start, start + queries)
            images = space.index[first[part]].astype(np.float32)
            similarities[part] = np.einsum("qkd,qd->qk", images, space.test[part].astype(np.float32))
        similarities[first < 0] = -np.inf
        return similarities

    def nearest_first(self, ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
        """The ranking's lists in the order of similarity: indices (n_query, k) int32 and similarities (n_query, k) float32."""
        similarities = self.similarities(ranking, ranking.indices.shape[1])
        order = np.argsort(-similarities, axis=1, kind="stable")
        return np.take_along_axis(ranking.indices, order, axis=1), np.take_along_axis(similarities, order, axis=1)

    def votes(self, ranking: Ranking, neighbours: int) -> tuple[Votes, Votes]:
        """The votes of the ranking's queries (n_query,) and of its index images (n_index,)."""
        space = self.space(ranking)
        return self._votes_of(space, "test", neighbours), self._votes_of(space, "index", neighbours)

    def _votes_of(self, space: Space, split: str, neighbours: int) -> Votes:
        known = self._votes.setdefault(space, {})
        if (split, neighbours) not in known:
            near, similarities = self.nearest(space, split, "train", neighbours)
            found = np.where(near >= 0, self.labels[near], -1) if len(self.labels) else np.full(near.shape, -1, np.int64)
            known[split, neighbours] = label_votes(found, similarities)
        return known[split, neighbours]


def _are_the_same(before: Space, after: Space, pair: tuple[str, str]) -> bool:
    return all(before.vectors(split) is after.vectors(split) for split in pair)
