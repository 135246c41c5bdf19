"""Which of a user's photos train, which are searched and which are the queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmarks.config import PhotosSettings
from landmarks.errors import UserError
from landmarks.seeds import seed_of

ENOUGH = 4  # photos a landmark needs to train: one for each split and one to spare


@dataclass(frozen=True)
class PhotoSplit:
    """splits (n,) "train", "index" or "test"; usages (n,) "Public" or "Private" for a query, "" for the others; trained: names."""

    splits: np.ndarray
    usages: np.ndarray
    trained: frozenset[str]


def split_photos(ids: np.ndarray, labels: np.ndarray, settings: PhotosSettings) -> PhotoSplit:
    """Give every photo a split by a draw of its own, from (seed, label, id): the order of the photos changes nothing.

    A landmark with 4 photos or more has at least one photo in every split, one that is held out in index and test.
    Smaller landmarks never train: their photos are distractors of the index, now and then a query, but never a
    query without an index photo. A photo added later leaves the others where they are, except where one of these promises
    had to be kept by moving a photo; a landmark added later may move one other in or out of train.

    ids     (n,) strings, each once
    labels  (n,) strings
    Raises UserError where fewer than two landmarks could train, or where there is no query.
    """
    groups = {label: np.flatnonzero(labels == label) for label in sorted(set(labels))}
    enough = [label for label, group in groups.items() if len(group) >= ENOUGH]
    if len(enough) < 2:
        raise UserError(
            f"only {len(enough)} of {len(groups)} landmarks {'has' if len(enough) == 1 else 'have'} "
            f"{ENOUGH} photos or more; two are needed to train",
            next="add photos to the smaller folders",
        )
    by_draw = sorted(enough, key=lambda label: (_draw(settings.seed, "held out", label), label))
    held_out = min(round(settings.held_out * len(enough)), len(enough) - 2)
    trained = frozenset(by_draw[held_out:])

    splits = np.empty(len(ids), dtype=object)
    for label, group in groups.items():
        draws = {n: _draw(settings.seed, "split", label, ids[n]) for n in group}
        promised = ("index",) if len(group) < ENOUGH else ("index", "test") if label not in trained else ("index", "test", "train")
        for n, split in _assign(draws, label in trained, promised, settings).items():
            splits[n] = split
    return PhotoSplit(splits, _usages(ids, splits == "test", settings), trained)


def _assign(draws: dict[int, float], trains: bool, promised: tuple[str, ...], settings: PhotosSettings) -> dict[int, str]:
    assigned = {}
    for n, draw in draws.items():
        if draw < settings.test_share:
            assigned[n] = "test"
        else:
            assigned[n] = "train" if trains and draw < settings.test_share + settings.train_share else "index"
    for split in promised:
        members = {name: [n for n in draws if assigned[n] == name] for name in ("index", "test", "train")}
        if not members[split]:
            giver = max(members.values(), key=len)
            assigned[min(giver, key=lambda n: draws[n])] = split
    return assigned


def _usages(ids: np.ndarray, is_query: np.ndarray, settings: PhotosSettings) -> np.ndarray:
    usages = np.full(len(ids), "", dtype=object)
    draws = {n: _draw(settings.seed, "usage", ids[n]) for n in np.flatnonzero(is_query)}
    for n, draw in draws.items():
        usages[n] = "Public" if draw < settings.public_share else "Private"
    if len(draws) > 1 and 0 < settings.public_share < 1:  # neither score is left without a query
        if (usages != "Public").all():
            usages[min(draws, key=lambda n: draws[n])] = "Public"
        elif (usages != "Private").all():
            usages[max(draws, key=lambda n: draws[n])] = "Private"
    return usages


def _draw(*parts: object) -> float:
    """A number in [0, 1) that belongs to `parts`."""
    return seed_of(*parts) / 2**63
