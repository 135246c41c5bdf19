"""Which images play which part in a pseudo-world, drawn so that it looks like the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_LANDMARKS, FEWEST_KNOWN = 5, 2  # with pseudo-queries, and in the pseudo-train set


@dataclass(frozen=True)
class Draw:
    """How the parts are drawn.

    unknown_share  share of the landmarks that the pseudo-train set does not know
    query_share    share of a landmark's training images that become pseudo-queries
    train_share    share of the others that stay training images; the rest may be hidden in the index
    queries        pseudo-queries at most
    index_images   images of the pseudo-index at most
    seed           another seed, other parts
    """

    unknown_share: float
    query_share: float
    train_share: float
    queries: int
    index_images: int
    seed: int


@dataclass(frozen=True)
class Parts:
    """Row numbers (n,) int64, ascending, no row in two parts.

    train, hidden, test  rows of train: the pseudo-training images, those that are hidden in the index, the pseudo-queries
    index                rows of the real index, with which the pseudo-index begins; the hidden ones follow
    """

    train: np.ndarray
    hidden: np.ndarray
    test: np.ndarray
    index: np.ndarray

    @property
    def all_rows(self) -> tuple[np.ndarray, ...]:
        return self.train, self.hidden, self.test, self.index


def split_training(labels: np.ndarray, owners: np.ndarray | None, draw: Draw) -> Parts:
    """Draw the parts. Landmarks of fewer than three training images have none.

    labels  (n_train,) int64, 0, 1, ...; another numbering of the same landmarks gives the same parts
    owners  (n_index,) int64, as of `index_owners.owners_of_index`; None = the pseudo-index holds training images alone

    A landmark keeps its depth: no more of its training images are hidden than it has index images, and as many of those are left out.
    Of an index that is too large some landmarks are drawn, with their index images, and the same share of those of no certain landmark.
    A landmark of more images than are left has no part.
    """
    rng = np.random.default_rng(draw.seed)
    landmarks = sorted((images for images in _rows_by_label(labels) if len(images) >= 3), key=lambda images: images[0])
    rng.shuffle(landmarks)
    real = np.empty(0, np.int64) if owners is None else owners
    owned = _rows_by_label(real, int(labels.max(initial=-1)) + 1)
    strangers = rng.permutation(np.flatnonzero(real < 0))
    strangers = strangers[: round(min(1.0, draw.index_images / max(1, len(real))) * len(strangers))]
    train: list[np.ndarray] = []
    hidden: list[np.ndarray] = []
    test: list[np.ndarray] = []
    index, in_index = [strangers], len(strangers)
    for images in landmarks:
        number, found = len(test), owned[labels[images[0]]]
        queries = max(1, round(draw.query_share * len(images)))
        known = min(max(1, round(draw.train_share * (len(images) - queries))), len(images) - queries - 1)
        is_unknown = int((number + 1) * draw.unknown_share) > int(number * draw.unknown_share)
        placed = len(images) - queries - known
        if owners is None:
            placed += known if is_unknown else 0
        else:
            placed = min(placed, max(1, len(found)))
        if in_index + max(placed, len(found)) > draw.index_images:
            continue
        in_index += max(placed, len(found))
        images, found = rng.permutation(images), rng.permutation(found)
        test.append(images[:queries])
        hidden.append(images[queries : queries + placed])
        index.append(found[placed:])
        if not is_unknown:
            train.append(images[len(images) - known :])
    drawn = rng.permutation(_joined(test))[: draw.queries]
    return Parts(*(np.sort(rows) for rows in (_joined(train), _joined(hidden), drawn, _joined(index))))


def times_larger(index_images: int, worlds: Sequence[Parts]) -> float:
    """How many times longer a search of an index of so many images in itself takes than those of all these pseudo-worlds."""
    return index_images**2 / sum((len(parts.index) + len(parts.hidden)) ** 2 for parts in worlds)


def too_few_landmarks(labels: np.ndarray, worlds: Sequence[Parts], index_images: int) -> str:
    """Why nothing can be learned or measured in these pseudo-worlds, which hold `index_images` at most; "" where it can.

    labels  (n_train,) int64, as for `split_training`. Steps that learn need two landmarks in each pseudo-train set.
    """
    need = f"(one needs three training images, and its index images have to fit in index_images={index_images})"
    asked = min(len(np.unique(labels[parts.test])) for parts in worlds)
    known = min(len(np.unique(labels[parts.train])) for parts in worlds)
    if asked < FEWEST_LANDMARKS:
        return f"pseudo-queries of {asked} landmarks are too few {need}"
    return f"a pseudo-train set of {known} landmarks is too small {need}" if known < FEWEST_KNOWN else ""


def _rows_by_label(labels: np.ndarray, classes: int | None = None) -> list[np.ndarray]:
    """The rows of each label 0, 1, ..., classes - 1; rows of the label -1 are left out."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange((int(labels.max(initial=-1)) + 1 if classes is None else classes) + 1))
    return [order[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *parts])
