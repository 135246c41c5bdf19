"""Which of a user's photos are used for training, which as the index and which as queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmarks.config import PhotosSettings
from landmarks.errors import UserError
from landmarks.seeds import seed_of

MIN_PHOTOS = 4  # of a landmark in training: one for each split and one more

PUBLIC_SHARE = 1 / 3  # of the queries; the others are Private


@dataclass(frozen=True)
class PhotoSplit:
    """splits (n,) "train", "index" or "test"; usages (n,) "Public" or "Private" for a query, "" for the others; trained: names."""

    splits: np.ndarray
    usages: np.ndarray
    trained: frozenset[str]


def split_photos(ids: np.ndarray, labels: np.ndarray, settings: PhotosSettings) -> PhotoSplit:
    """Assign every photo to a split by a random draw from (seed, label, id), which does not depend on the order of the photos.

    A landmark with 4 photos or more has at least one photo in every split; one that is held out, in index and test. Smaller
    landmarks are not trained on: their photos are distractors of the index and some are queries, but never a query without an
    index photo. A photo added later leaves the others in their splits, except where one was moved to meet one of these
    conditions; a landmark added later may move one other landmark in or out of train.

    ids     (n,) strings, each once
    labels  (n,) strings
    Raises UserError where fewer than two landmarks could be trained on.
    """
    groups: dict[str, list[int]] = {label: np.flatnonzero(labels == label).tolist() for label in sorted(set(labels))}
    enough = [label for label, group in groups.items() if len(group) >= MIN_PHOTOS]
    if len(enough) < 2:
        raise UserError(
            f"only {len(enough)} of {len(groups)} landmarks {'has' if len(enough) == 1 else 'have'} "
            f"{MIN_PHOTOS} photos or more; two are needed to train",
            next="add photos to the smaller folders",
        )
    by_draw = sorted(enough, key=lambda label: (_draw(settings.seed, "held out", label), label))
    held_out = min(round(settings.held_out * len(enough)), len(enough) - 2)
    trained = frozenset(by_draw[held_out:])

    splits = np.empty(len(ids), dtype=object)
    for label, group in groups.items():
        draws = {n: _draw(settings.seed, "split", label, ids[n]) for n in group}
        required: tuple[str, ...] = ("index",)
        if len(group) >= MIN_PHOTOS:
            required = ("index", "test", "train") if label in trained else ("index", "test")
        for n, split in _assign(draws, label in trained, required, settings).items():
            splits[n] = split
    return PhotoSplit(splits, _usages(ids, splits == "test", settings.seed), trained)


def _assign(draws: dict[int, float], trains: bool, required: tuple[str, ...], settings: PhotosSettings) -> dict[int, str]:
    """A split for each photo of one landmark, by its draw; every required split gets at least one photo."""
    assigned = {}
    for n, draw in draws.items():
        if draw < settings.test_share:
            assigned[n] = "test"
        else:
            assigned[n] = "train" if trains and draw < settings.test_share + settings.train_share else "index"
    for split in required:
        members = {name: [n for n in draws if assigned[n] == name] for name in ("index", "test", "train")}
        if not members[split]:
            largest = max(members.values(), key=len)
            assigned[min(largest, key=lambda n: draws[n])] = split
    return assigned


def _usages(ids: np.ndarray, is_query: np.ndarray, seed: int) -> np.ndarray:
    usages = np.full(len(ids), "", dtype=object)
    draws = {n: _draw(seed, "usage", ids[n]) for n in np.flatnonzero(is_query)}
    for n, draw in draws.items():
        usages[n] = "Public" if draw < PUBLIC_SHARE else "Private"
    if len(draws) > 1:  # each score has at least one query
        if (usages != "Public").all():
            usages[min(draws, key=lambda n: draws[n])] = "Public"
        elif (usages != "Private").all():
            usages[max(draws, key=lambda n: draws[n])] = "Private"
    return usages


def _draw(*parts: object) -> float:
    """A number in [0, 1), always the same for the same `parts`."""
    return seed_of(*parts) / 2**63
