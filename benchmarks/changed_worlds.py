"""Worlds of thinned_worlds.py with one thing changed: other descriptors, labels, queries, index or training images than usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from thinned_worlds import NEIGHBOURS, WHITENED, Cell, Descriptors, World, open_world

from landmarks.ops.vectors import l2_normalise

LANDMARKS = 150
WHOLE, THIN = Cell(0, 0, 0.15, True), Cell(20, 8, 0.15, True)


@dataclass(frozen=True)
class Raw:
    """Unit rows of each split, labels of train, owners of index images (-1 = none) and queries, and whether train knows a query's.

    train_owners  of train's images, in the numbers of the index images
    """

    rows: dict[str, np.ndarray]
    labels: np.ndarray
    train_owners: np.ndarray
    index_owners: np.ndarray
    query_owners: np.ndarray
    known: np.ndarray
    whitened: int = WHITENED
    neighbours: int = NEIGHBOURS

    def take(self, split: str, kept: np.ndarray) -> Raw:
        """The same world with these rows (n,) of a split, in this order, repeated where they are."""
        rows = self.rows | {split: self.rows[split][kept]}
        if split == "train":
            return replace(self, rows=rows, labels=self.labels[kept], train_owners=self.train_owners[kept])
        if split == "index":
            return replace(self, rows=rows, index_owners=self.index_owners[kept])._answerable()
        return replace(self, rows=rows, query_owners=self.query_owners[kept], known=self.known[kept])

    def add(self, split: str, rows: np.ndarray, owners: np.ndarray) -> Raw:
        """Rows (n, d) more, with their labels or owners (n,)."""
        every = self.rows | {split: np.concatenate([self.rows[split], l2_normalise(rows)])}
        if split == "train":
            of_none = np.full(len(owners), -1)
            return replace(self, rows=every, labels=np.append(self.labels, owners), train_owners=np.append(self.train_owners, of_none))
        return replace(self, rows=every, index_owners=np.concatenate([self.index_owners, owners]))

    def _answerable(self) -> Raw:
        return self.take("test", np.flatnonzero(np.isin(self.query_owners, self.index_owners)))

    def open(self) -> World:
        return open_world(
            self.rows, self.labels, self.index_owners, self.query_owners, self.known, whitened=self.whitened, neighbours=self.neighbours
        )


Random = np.random.Generator
Change = Callable[[Raw, Random], Raw]


def raw_world(descriptors: Descriptors, cell: Cell, seed: int) -> Raw:
    train, index, asked, known = descriptors.drawn(cell, LANDMARKS, seed)
    numbers = {"train": train, "index": index, "test": descriptors.queries[asked]}
    rows = {split: l2_normalise(descriptors.rows[split][kept]) for split, kept in numbers.items()}
    groups = np.full(len(np.unique(descriptors.labels)), -1)
    linked = np.flatnonzero(descriptors.landmark_of >= 0)
    groups[descriptors.landmark_of[linked]] = linked
    labels = descriptors.labels[train]
    return Raw(rows, labels, groups[labels], descriptors.index_owners[index], descriptors.query_owners[asked], known)


def _fewer_queries(raw: Raw, rng: Random) -> Raw:
    return raw.take("test", rng.permutation(len(raw.known))[:20])


def _small_index(raw: Raw, rng: Random) -> Raw:
    owned = rng.permutation(np.flatnonzero(raw.index_owners >= 0))[:200]
    return raw.take("index", np.concatenate([owned, rng.permutation(np.flatnonzero(raw.index_owners < 0))[:100]]))


def _all_unknown(raw: Raw, _: Random) -> Raw:
    return raw.take("test", np.flatnonzero(~raw.known))


def _wrong_labels(share: float) -> Change:
    def change(raw: Raw, rng: Random) -> Raw:
        wrong = rng.random(len(raw.labels)) < share
        return replace(raw, labels=np.where(wrong, rng.permutation(raw.labels), raw.labels))

    return change


def _split_labels(raw: Raw, rng: Random) -> Raw:
    return replace(raw, labels=2 * raw.labels + rng.integers(0, 2, len(raw.labels)))


def _merged_labels(raw: Raw, _: Random) -> Raw:
    return replace(raw, labels=np.unique(raw.labels, return_inverse=True)[1] // 2)


def _index_twice(raw: Raw, _: Random) -> Raw:
    return raw.take("index", np.tile(np.arange(len(raw.index_owners)), 2))


def _long_tail(raw: Raw, rng: Random) -> Raw:
    """200 / rank images of a landmark, at least 1: the largest get mixtures of two of theirs."""
    kept, mixed, labels = [], [], []
    for rank, label in enumerate(rng.permutation(np.unique(raw.labels)), start=1):
        images, wanted = rng.permutation(np.flatnonzero(raw.labels == label)), max(1, 200 // rank)
        kept.append(images[:wanted])
        more = max(0, wanted - len(images))
        mixed.append(_mixtures(raw.rows["train"][images], more, rng))
        labels.append(np.full(more, label))
    return raw.take("train", np.concatenate(kept)).add("train", np.concatenate(mixed), np.concatenate(labels))


def _more_distractors(times: int) -> Change:
    def change(raw: Raw, rng: Random) -> Raw:
        none = raw.rows["index"][raw.index_owners < 0]
        count = (times - 1) * len(none)
        return raw.add("index", _mixtures(none, count, rng), np.full(count, -1))

    return change


def _mixtures(rows: np.ndarray, count: int, rng: Random) -> np.ndarray:
    """Of two rows each, one to two parts of three, with a little noise."""
    share = rng.uniform(1 / 3, 2 / 3, (count, 1)).astype(np.float32)
    mixed = share * rows[rng.integers(0, len(rows), count)] + (1 - share) * rows[rng.integers(0, len(rows), count)]
    return mixed + (0.2 / rows.shape[1] ** 0.5) * rng.standard_normal(mixed.shape, dtype=np.float32)


def _noisy(raw: Raw, rng: Random) -> Raw:
    """As of a weaker model: noise as long as the descriptor."""

    def noisy(rows: np.ndarray) -> np.ndarray:
        return l2_normalise(rows + rng.standard_normal(rows.shape, dtype=np.float32) / rows.shape[1] ** 0.5)

    return replace(raw, rows={split: noisy(rows) for split, rows in raw.rows.items()})


def _moved_train(raw: Raw, rng: Random) -> Raw:
    """Training photos of another kind: all of them moved by the same vector, a third as long as they are."""
    step = rng.standard_normal(raw.rows["train"].shape[1], dtype=np.float32)
    return replace(raw, rows=raw.rows | {"train": l2_normalise(raw.rows["train"] + step / (3 * np.linalg.norm(step)))})


def _few_dimensions(raw: Raw, rng: Random) -> Raw:
    axes = rng.standard_normal((raw.rows["train"].shape[1], 64), dtype=np.float32)
    return replace(raw, rows={split: l2_normalise(rows @ axes) for split, rows in raw.rows.items()}, whitened=64)


def _label_of_no_landmark(raw: Raw, rng: Random) -> Raw:
    """A tenth of train are distractors under one label."""
    none = rng.permutation(np.flatnonzero(raw.index_owners < 0))[: len(raw.labels) // 10]
    rows = raw.rows["index"][none]
    left = raw.take("index", np.setdiff1d(np.arange(len(raw.index_owners)), none))
    return left.add("train", rows, np.full(len(none), raw.labels.max() + 1))


def _train_in_index(raw: Raw, _: Random) -> Raw:
    return raw.add("index", raw.rows["train"], raw.train_owners)


def _few_landmarks(count: int) -> Change:
    def change(raw: Raw, rng: Random) -> Raw:
        return raw.take("train", np.flatnonzero(np.isin(raw.labels, rng.permutation(np.unique(raw.labels))[:count])))

    return change


def _same(raw: Raw, _: Random) -> Raw:
    return raw


WORLDS: dict[str, tuple[Cell, Change]] = {
    "not whitened": (WHOLE, lambda raw, rng: replace(raw, whitened=0)),
    "whitening 128": (WHOLE, lambda raw, rng: replace(raw, whitened=128)),
    "64 dimensions": (THIN, _few_dimensions),
    "1 training image": (Cell(1, 8, 0.15, True), _same),
    "2 training images": (Cell(2, 8, 0.15, True), _same),
    "1 training image, index all": (Cell(1, 0, 0.15, True), _same),
    "2 training images, index all": (Cell(2, 0, 0.15, True), _same),
    "5 training images, index 3": (Cell(5, 3, 0.15, True), _same),
    "index 1": (Cell(20, 1, 0.15, True), _same),
    "20 queries": (WHOLE, _fewer_queries),
    "20 queries, 20 + 8": (THIN, _fewer_queries),
    "index of 300": (WHOLE, _small_index),
    "all queries unknown": (Cell(0, 0, 0.5, True), _all_unknown),
    "all queries unknown, 20 + 8": (Cell(20, 8, 0.5, True), _all_unknown),
    "train knows 10 % of the landmarks": (Cell(20, 8, 0.9, True), _same),
    "labels 20 % wrong": (WHOLE, _wrong_labels(0.2)),
    "labels 20 % wrong, 20 + 8": (THIN, _wrong_labels(0.2)),
    "labels 50 % wrong, 20 + 8": (THIN, _wrong_labels(0.5)),
    "all labels wrong, 20 + 8": (THIN, _wrong_labels(1.0)),
    "landmarks under two labels": (THIN, _split_labels),
    "two landmarks under one label": (THIN, _merged_labels),
    "index twice": (THIN, _index_twice),
    "long tail, 1 to 200": (Cell(0, 8, 0.15, True), _long_tail),
    "5 times the distractors": (THIN, _more_distractors(5)),
    "noise": (THIN, _noisy),
    "train moved": (THIN, _moved_train),
    "a label of no landmark": (THIN, _label_of_no_landmark),
    "train in the index": (THIN, _train_in_index),
    "lists of 20": (THIN, lambda raw, rng: replace(raw, neighbours=20)),
    "train of 2 landmarks": (THIN, _few_landmarks(2)),
    "train of 8 landmarks": (THIN, _few_landmarks(8)),
    "train of 30 landmarks": (THIN, _few_landmarks(30)),
}
