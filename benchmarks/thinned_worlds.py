"""Descriptors with a ground truth, thinned: fewer training and index images a landmark, fewer known landmarks, fewer distractors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from landmarks.ops.vectors import l2_normalise, learn_whitening
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context

WHITENED, NEIGHBOURS = 256, 100  # of configs/descriptors.yaml


class Cell(NamedTuple):
    """train, index: images a landmark at most, 0 = all; unknown: share of the queries' landmarks that are not in train."""

    train: int
    index: int
    unknown: float
    distractors: bool

    def __str__(self) -> str:
        depth = [str(count or "all") for count in (self.train, self.index)]
        unknown = "as it is" if self.unknown < 0 else f"{self.unknown:.0%}"
        return f"train {depth[0]}, index {depth[1]}, unknown {unknown}, distractors {'yes' if self.distractors else 'no'}"


@dataclass(frozen=True)
class World:
    """A cell's search: context, first ranking, the truth as `average_precision` takes it, and of each query whether train knows it."""

    context: Context
    ranking: Ranking
    truth: tuple[np.ndarray, np.ndarray]
    known: np.ndarray

    def without_train(self) -> World:
        """The same queries and index as they were described, searched without a training image."""
        rows = {split: np.asarray(self.context.descriptors(split)) for split in ("test", "index")}
        rows["train"] = rows["index"][:0]
        space = Space.from_splits({split: matrix.astype(np.float16) for split, matrix in rows.items()})
        context = Context(space, np.empty(0, np.int64), rows.__getitem__)
        ranking = context.search_first(self.ranking.query_ids, self.ranking.index_ids, NEIGHBOURS)
        return World(context, ranking, self.truth, np.zeros(len(self.known), bool))


class Descriptors:
    """A folder as of configs/descriptors.yaml; `owners` are numbers of landmarks, -1 = none, of the queries and the index images.

    A landmark of the ground truth is the set of its index images; the landmark of train that it is, is the one that most of its
    index images' nearest training images have, each landmark of train given once.
    """

    def __init__(self, folder: Path, usages: tuple[str, ...]):
        tables = {split: pd.read_csv(folder / f"{split}.csv", dtype=str) for split in ("train", "index", "test")}
        self.rows = {split: np.load(folder / f"{split}.npy") for split in tables}
        self.labels = np.unique(tables["train"]["landmark_id"], return_inverse=True)[1]
        self.ids = {split: table["id"].to_numpy() for split, table in tables.items()}
        solution = pd.read_csv(next(iter(sorted(folder.glob("retrieval_solution*.csv")))), dtype=str)
        solution = solution[solution["Usage"].isin(usages)]
        groups, numbers = np.unique(solution["images"].map(lambda images: " ".join(sorted(images.split()))), return_inverse=True)
        place = pd.Series(np.arange(len(self.ids["index"])), self.ids["index"])
        self.index_owners = np.full(len(place), -1)
        for number, images in enumerate(groups):
            self.index_owners[place[images.split()].to_numpy()] = number
        place = pd.Series(np.arange(len(self.ids["test"])), self.ids["test"])
        self.queries, self.query_owners = place[solution["id"]].to_numpy(), numbers
        self.landmark_of = self._link(len(groups))

    def _link(self, groups: int) -> np.ndarray:
        """(groups,) the landmark of train that each is, -1 = none."""
        centres = np.stack([self.rows["train"][self.labels == label].mean(axis=0) for label in range(self.labels.max() + 1)])
        centres = l2_normalise(centres - centres.mean(axis=0))
        votes = np.zeros((groups, len(centres)))
        owned = self.index_owners >= 0
        rows = l2_normalise(self.rows["index"][owned].astype(np.float32) - self.rows["train"].astype(np.float32).mean(axis=0))
        np.add.at(votes, (self.index_owners[owned], (rows @ centres.T).argmax(axis=1)), 1)
        votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1)
        linked = np.full(groups, -1)
        for flat in np.argsort(-votes, axis=None, kind="stable"):
            group, label = np.unravel_index(flat, votes.shape)
            if votes[group, label] < 0.2:
                break
            if linked[group] < 0 and label not in linked:
                linked[group] = label
        return linked

    def world(self, cell: Cell, landmarks: int, seed: int) -> World:
        """`landmarks` of the ground truth drawn at random, with their queries, index and training images; the rest is left out."""
        return self._open(*self.drawn(cell, landmarks, seed))

    def drawn(self, cell: Cell, landmarks: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What `world` is made of: rows of train and of the index, numbers of the queries, and of these whether train knows each."""
        rng = np.random.default_rng(seed)
        known, unknown = (rng.permutation(np.flatnonzero(side)) for side in (self.landmark_of >= 0, self.landmark_of < 0))
        landmarks = min(landmarks, len(known) + len(unknown))
        strangers = round(cell.unknown * landmarks)
        kept = known[: landmarks - strangers]
        others = np.concatenate([unknown, known[len(kept) :]])[:strangers]
        train = self._thinned(rng, self.labels, self.landmark_of[kept], cell.train)
        index = self._thinned(rng, self.index_owners, np.concatenate([kept, others]), cell.index)
        if cell.distractors:
            none = np.flatnonzero(self.index_owners < 0)
            share = (len(kept) + len(others)) / len(self.landmark_of)
            index = np.concatenate([index, rng.choice(none, round(share * len(none)), replace=False)])
        train, index = np.sort(train), np.sort(index)
        asked = np.flatnonzero(np.isin(self.query_owners, np.concatenate([kept, others])))
        return train, index, asked, np.isin(self.query_owners[asked], kept)

    def half(self, cell: Cell, number: int) -> World:
        """One half (0, 1) of the landmarks of the ground truth, always the same, with half of the distractors where the cell has any.

        On the one settings are chosen, and on the other confirmed. Where the cell's share of unknown landmarks is below 0, landmarks are
        unknown that are so in truth; else known ones are left out of train until there are as many.
        """
        mine = np.random.default_rng(7).permutation(len(self.landmark_of))[number::2]
        known, unknown = (mine[side] for side in (self.landmark_of[mine] >= 0, self.landmark_of[mine] < 0))
        left_out = max(0, round(cell.unknown * len(mine)) - len(unknown))
        known, unknown = known[left_out:], np.concatenate([unknown, known[:left_out]])
        rng = np.random.default_rng(11 + number)
        train = self._thinned(rng, self.labels, self.landmark_of[known], cell.train)
        index = self._thinned(rng, self.index_owners, np.concatenate([known, unknown]), cell.index)
        if cell.distractors:
            none = np.flatnonzero(self.index_owners < 0)
            index = np.concatenate([index, rng.choice(none, len(none) // 2, replace=False)])
        asked = np.flatnonzero(np.isin(self.query_owners, mine))
        return self._open(np.sort(train), np.sort(index), asked, np.isin(self.query_owners[asked], known))

    @staticmethod
    def _thinned(rng: np.random.Generator, owners: np.ndarray, wanted: np.ndarray, at_most: int) -> np.ndarray:
        drawn = [rng.permutation(np.flatnonzero(owners == owner)) for owner in wanted]
        return np.concatenate([rows[: at_most or None] for rows in drawn])

    def _open(self, train: np.ndarray, index: np.ndarray, asked: np.ndarray, known: np.ndarray) -> World:
        rows = {"train": train, "index": index, "test": self.queries[asked]}
        descriptors = {split: l2_normalise(self.rows[split][numbers]) for split, numbers in rows.items()}
        return open_world(descriptors, self.labels[train], self.index_owners[index], self.query_owners[asked], known)


def open_world(
    descriptors: dict[str, np.ndarray],
    labels: np.ndarray,
    index_owners: np.ndarray,
    query_owners: np.ndarray,
    known: np.ndarray,
    whitened: int = WHITENED,
    neighbours: int = NEIGHBOURS,
) -> World:
    """Search unit rows (n, d) of each split.

    labels        (n_train,) the landmark of each training image; owners: of index images, -1 = none, and of queries (n,) integers
    whitened      dimensions of the whitening, 0 = none; neighbours: images in each list
    """
    whitening = learn_whitening(descriptors["train"], whitened) if whitened else lambda rows: rows
    space = Space.from_splits({split: whitening(matrix).astype(np.float16) for split, matrix in descriptors.items()})
    context = Context(space, labels, descriptors.__getitem__)
    ids = (np.arange(len(descriptors[split])).astype(str) for split in ("test", "index"))
    ranking = context.search_first(*ids, neighbours)
    truth = [np.flatnonzero(index_owners == owner) for owner in query_owners]
    offsets = np.concatenate([[0], np.cumsum([len(images) for images in truth])])
    return World(context, ranking, (np.concatenate(truth), offsets), known)
