"""A world whose answers are known, without a look at the solution file: the real index, with training images hidden in it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from landmarks.config.chain import Chain, chain_names, first_verifying, verified_images
from landmarks.metrics.google_landmarks import average_precision
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.rerank.parts import Parts
from landmarks.store.tables import SPLITS


class PseudoWorld(NamedTuple):
    """context, ranking: of the pseudo-queries, behind the steps of a chain; query_labels, index_labels: (n,) int64 of its images.

    A label of -1 is that of a real index image: nobody knows what it shows, so that it is in the lists and is not judged.
    """

    context: Context
    ranking: Ranking
    query_labels: np.ndarray
    index_labels: np.ndarray

    @property
    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """The hidden images of each query's landmark, as metrics.google_landmarks.average_precision takes them."""
        order = np.argsort(self.index_labels, kind="stable")
        starts, ends = (np.searchsorted(self.index_labels[order], self.query_labels, side=side) for side in ("left", "right"))
        truth = [order[start:end] for start, end in zip(starts, ends, strict=True)]
        return np.concatenate(truth), np.concatenate([[0], np.cumsum(ends - starts)])

    def judged(self, indices: np.ndarray) -> np.ndarray:
        """Which places of the lists (n_query, k) hold an image whose landmark is known: bool of the same shape."""
        return (indices >= 0) & (self.index_labels[indices] >= 0)

    def average_precision(self, indices: np.ndarray) -> np.ndarray:
        """Of the lists (n_query, k) int32 without the images that are not judged, (n_query,) float64.

        Source: condensed lists (Sakai, "Alternatives to Bpref", SIGIR 2007).
        """
        judged = self.judged(indices)
        order = np.argsort(~judged, axis=1, kind="stable")
        condensed = np.take_along_axis(np.where(judged, indices, -1), order, axis=1)
        return average_precision(condensed, *self.truth)


def make_pseudo_world(context: Context, chain: Chain, parts: Parts, neighbours: int) -> PseudoWorld:
    """The search and `chain` run for the pseudo-queries, as they were for the real ones.

    neighbours  images in each list
    What the steps of this chain made is kept with the context until another chain is asked for: a chain is chosen step by step, and
    its last step learns in the same world.
    Raises UserError where the chain verifies and training images that the lists hold have no local features.
    """
    key = hashlib.blake2b(b"".join(rows.tobytes() for rows in parts.all_rows)).hexdigest(), neighbours
    if key not in context.pseudo_worlds:
        pseudo = _context(context, parts)
        index_ids = [*(f"index {row}" for row in parts.index), *map(str, parts.hidden)]
        context.pseudo_worlds[key] = pseudo, {"knn": pseudo.search_first(parts.test.astype(str), np.array(index_ids), neighbours)}
    pseudo, made = context.pseudo_worlds[key]
    names = chain_names(chain)
    for name in made.keys() - set(names):
        del made[name]  # an ablation goes through many chains, and every step that searches has vectors of its own
    for steps, step in enumerate(chain):
        if names[steps + 1] not in made:
            made[names[steps + 1]] = step.apply(made[names[steps]], pseudo.after(chain[:steps]))
    index_labels = np.concatenate([np.full(len(parts.index), -1), context.labels[parts.hidden]])
    return PseudoWorld(pseudo.after(chain), made[names[-1]], context.labels[parts.test], index_labels)


def images_to_verify(context: Context, before: Chain, parts: Parts, neighbours: int) -> np.ndarray:
    """Rows of train, ascending: the pseudo-queries, and what they have found when the first step of `before` that verifies is reached.

    parts  without images of the real index: local features are made of those alone that real queries find
    """
    found = make_pseudo_world(context, before[: first_verifying(before)], parts, neighbours).ranking.indices[:, : verified_images(before)]
    return np.union1d(parts.test, parts.hidden[np.unique(found[found >= 0])])


def _context(context: Context, parts: Parts) -> Context:
    def vectors(read, split: str) -> np.ndarray:
        if split != "index":
            return read("train")[parts.train if split == "train" else parts.test]
        hidden = read("train")[parts.hidden]
        return np.concatenate([read("index")[parts.index], hidden]) if len(parts.index) else hidden

    def count_inliers(of: str, among: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        rows = {"train": parts.train, "index": parts.hidden, "test": parts.test}
        return context.inliers("train", "train", rows[of][first], rows[among][second])

    return Context(
        Space.from_splits({split: vectors(context.base.vectors, split) for split in SPLITS}),
        context.labels[parts.train],
        lambda split: vectors(context.descriptors, split),
        context.use_gpu,
        count_inliers if context.count_inliers is not None else None,
    )
