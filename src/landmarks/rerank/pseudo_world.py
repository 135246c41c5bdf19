"""A small world made of training images alone: queries whose answers are known, without a look at the solution file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.config.chain import Chain, first_verifying, verified_images
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.steps.fuse import Fuse


@dataclass(frozen=True)
class Parts:
    """Rows of train (n,) int64, ascending, no row in two parts."""

    train: np.ndarray
    index: np.ndarray
    test: np.ndarray

    def rows(self, split: str) -> np.ndarray:
        return {"train": self.train, "index": self.index, "test": self.test}[split]


class PseudoWorld(NamedTuple):
    """context, ranking: of the pseudo-queries, behind the steps of a chain; query_labels, index_labels: (n,) int64 of its images."""

    context: Context
    ranking: Ranking
    query_labels: np.ndarray
    index_labels: np.ndarray

    @property
    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """The index images of each query's landmark, as metrics.google_landmarks.average_precision takes them."""
        order = np.argsort(self.index_labels, kind="stable")
        starts, ends = (np.searchsorted(self.index_labels[order], self.query_labels, side=side) for side in ("left", "right"))
        truth = [order[start:end] for start, end in zip(starts, ends, strict=True)]
        return np.concatenate(truth), np.concatenate([[0], np.cumsum(ends - starts)])


def make_pseudo_world(context: Context, chain: Chain, parts: Parts, neighbours: int) -> PseudoWorld:
    """The search and `chain` run among training images, as they were among the real ones.

    neighbours  images in each list
    Raises UserError where the chain verifies and training images that the lists hold have no local features.
    """
    pseudo = _context(context, parts)
    ranking = pseudo.search_first(parts.test.astype(str), parts.index.astype(str), neighbours)
    for steps, step in enumerate(chain):
        ranking = step.apply(ranking, pseudo.after(chain[:steps]))
    return PseudoWorld(pseudo.after(chain), ranking, context.labels[parts.test], context.labels[parts.index])


def images_to_verify(context: Context, before: Chain, parts: Parts, neighbours: int) -> np.ndarray:
    """Rows of train, ascending: the pseudo-queries, and what they have found when the first step of `before` that verifies is reached."""
    if len(parts.test) == 0:
        return parts.test
    found = make_pseudo_world(context, before[: first_verifying(before)], parts, neighbours).ranking.indices[:, : verified_images(before)]
    return np.union1d(parts.test, parts.index[np.unique(found[found >= 0])])


def split_training(labels: np.ndarray, settings: Fuse) -> Parts:
    """Which training images play which part; landmarks of fewer than three images play none.

    labels  (n_train,) int64, 0, 1, ...; another numbering of the same landmarks gives the same parts
    """
    rng = np.random.default_rng(settings.seed)
    by_landmark = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[by_landmark], prepend=-1))
    landmarks = [images for images in np.split(by_landmark, starts[1:]) if len(images) >= 3]
    landmarks.sort(key=lambda images: images[0])
    rng.shuffle(landmarks)
    train: list[np.ndarray] = []
    index: list[np.ndarray] = []
    test: list[np.ndarray] = []
    in_index = 0
    for number, images in enumerate(landmarks):
        images = rng.permutation(images)
        queries = max(1, round(settings.query_share * len(images)))
        known = max(1, round(settings.train_share * (len(images) - queries)))
        is_unknown = int((number + 1) * settings.unknown_share) > int(number * settings.unknown_share)
        found = images[queries:] if is_unknown else images[queries + known :]
        if in_index + len(found) > settings.index_images:
            break
        in_index += len(found)
        test.append(images[:queries])
        index.append(found)
        if not is_unknown:
            train.append(images[queries : queries + known])
    none = [np.empty(0, np.int64)]
    drawn = rng.permutation(np.concatenate(test or none))[: settings.queries]
    return Parts(np.sort(np.concatenate(train or none)), np.sort(np.concatenate(index or none)), np.sort(drawn))


def _context(context: Context, parts: Parts) -> Context:
    base = Space.from_splits({split: context.base.train[parts.rows(split)] for split in SPLITS})

    def count_inliers(of: str, among: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return context.inliers("train", "train", parts.rows(of)[first], parts.rows(among)[second])

    return Context(
        base,
        context.labels[parts.train],
        lambda split: context.descriptors("train")[parts.rows(split)],
        context.use_gpu,
        count_inliers if context.count_inliers is not None else None,
    )
