"""What a step may ask for beyond the ranking, made when first asked for and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from landmarks.errors import UserError
from landmarks.ops.voting import Votes, label_votes
from landmarks.ranking import Ranking
from landmarks.store.tables import TrainTable, positions


class Context:
    """Label votes of queries and index images; the labels are numbers that mean something only here.

    train            the training images' labels
    read_neighbours  split ("test" or "index") -> Ranking of that split's images over the training images
    """

    def __init__(self, train: TrainTable, read_neighbours: Callable[[str], Ranking]):
        self._train_ids, self._read_neighbours = train.ids, read_neighbours
        self._labels = np.unique(train.landmark_ids, return_inverse=True)[1]  # 0, 1, ...: the landmarks' own numbers may be negative
        self._votes: dict[tuple[str, int], tuple[np.ndarray, Votes]] = {}

    def votes(self, ranking: Ranking, neighbours: int) -> tuple[Votes, Votes]:
        """The votes of the ranking's queries (n_query,) and of its index images (n_index,)."""
        return (self._votes_of("test", ranking.query_ids, neighbours), self._votes_of("index", ranking.index_ids, neighbours))

    def _votes_of(self, split: str, ids: np.ndarray, neighbours: int) -> Votes:
        if (split, neighbours) not in self._votes:
            nearest = self._test_neighbours if split == "test" else self._index_neighbours
            if nearest.indices.shape[1] < neighbours:
                raise UserError(
                    f"a step votes with {neighbours} neighbours, {nearest.indices.shape[1]} were searched for",
                    next=f"search.train_neighbours={neighbours}",
                )
            labels = self._labels[positions(nearest.index_ids, self._train_ids)]
            near = nearest.indices[:, :neighbours]
            found = np.where(near >= 0, labels[near], -1) if len(labels) else np.full(near.shape, -1, np.int64)
            self._votes[split, neighbours] = nearest.query_ids, label_votes(found, nearest.scores[:, :neighbours])
        known, votes = self._votes[split, neighbours]
        return votes if len(ids) == len(known) and (ids == known).all() else votes.of(positions(ids, known))

    @cached_property
    def _test_neighbours(self) -> Ranking:
        return self._read_neighbours("test")

    @cached_property
    def _index_neighbours(self) -> Ranking:
        return self._read_neighbours("index")
