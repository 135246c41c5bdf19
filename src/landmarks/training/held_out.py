"""Which training images are held out to validate with, and where they are searched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from landmarks.data.draws import occurrences
from landmarks.errors import UserError
from landmarks.seeds import seed_of


class HeldOut(NamedTuple):
    """Rows of the training images, each (n,) int64 in ascending order.

    queries   held out: never trained on
    gallery   what they are searched in; has the queries where whole landmarks are held out, since no others show these
    training  the rest, which is trained on
    """

    queries: np.ndarray
    gallery: np.ndarray
    training: np.ndarray


def hold_out(labels: np.ndarray, images: int, gallery: int, *, landmarks: bool, seed: int) -> HeldOut:
    """Hold out about `images` of the images with these labels, the same ones each time.

    labels     (n,) int64
    gallery    images of the gallery at most: those of the queries' landmarks first, then any
    landmarks  hold out all images of some landmarks, at most half of the landmarks and with two images at least; otherwise some images
               of many landmarks, at most half of each

    Raises UserError where no landmark has two images, or too few landmarks would remain.
    """
    random = np.random.default_rng(seed_of(seed, "held out"))
    order = random.permutation(len(labels))
    counts = np.bincount(labels)
    if landmarks:
        possible = random.permutation(np.flatnonzero(counts > 1))[: (counts > 0).sum() // 2]
        chosen = possible[: 1 + np.searchsorted(np.cumsum(counts[possible]), images)]
        held = np.isin(labels, chosen)
    else:
        held = np.zeros(len(labels), bool)
        held[order[occurrences(labels[order]) < counts[labels[order]] // 2][:images]] = True
    if not held.any() or len(np.unique(labels[~held])) < 2:
        raise UserError(
            "too few images to hold some out: landmarks need two images, and two landmarks must remain",
            where="train.validation_images",
            next="train.validation_images=0",
        )
    rest = order if landmarks else order[~held[order]]
    alike = np.isin(labels[rest], labels[held])
    found = np.concatenate([rest[alike], rest[~alike]])[:gallery]
    return HeldOut(np.flatnonzero(held), np.sort(found), np.flatnonzero(~held))
