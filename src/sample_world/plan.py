"""The plan of the sample world: which photos exist, of what, in which split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .seeds import digest_number, generator

TRAIN_IMAGES = (6, 45)  # a landmark, long-tailed
INDEX_IMAGES = (3, 20)
QUERIES = (2, 6)
INTERIOR_SHARE = 1 / 3  # of landmarks that have interior photos
NOT_IN_TRAIN_SHARE = 1 / 6
INDEX_DISTRACTORS = 0.30  # of the index
IGNORED_QUERIES = 0.15  # of the test split
PUBLIC_SHARE = 1 / 3  # of the scored queries


@dataclass(frozen=True)
class Shot:
    """One photo to render.

    id: 16 hexadecimal characters. split: "train", "index" or "test". landmark: world number, None = a photo without a landmark.
    view: "exterior", "interior" or "distractor". usage: "Public", "Private" or "Ignored" for test photos, else None.
    group: of test photos, for reports ("exterior", "interior", "not in train", "distractor"), else None.
    seed: the world's seed. number: running number of the photo. family: look-alike family of the landmark, -1 without one.
    """

    id: str
    split: str
    landmark: int | None
    view: str
    usage: str | None
    group: str | None
    seed: int
    number: int
    family: int


def shot_id(seed: int, number: int) -> str:
    """16 hexadecimal characters of a digest, so that the order of the ids reveals nothing."""
    return f"{digest_number(seed, 'shot', number) % 2**64:016x}"


def look_alike_families(landmarks: int, seed: int) -> np.ndarray:
    """(landmarks,) int family numbers: about half the landmarks have no look-alike, the others are in pairs and triples."""
    rng = generator(seed, "families")
    sizes = rng.choice([1, 1, 1, 2, 2, 3], size=landmarks)
    return np.repeat(np.arange(landmarks), sizes)[:landmarks]


def plan_world(landmarks: int = 72, seed: int = 0) -> list[Shot]:
    """All photos of a world: about 1300 train, 900 index and 330 test ones with 72 landmarks.

    A sixth of the landmarks has no train image. Every scored query has index images, and a landmark with an interior has both
    views in the index and among its queries. The list is shuffled; ids are unique.
    """
    if landmarks < 2:
        raise ValueError(f"a world needs at least 2 landmarks, got landmarks={landmarks}")
    rng = generator(seed, "plan", landmarks)
    families = look_alike_families(landmarks, seed)
    order = rng.permutation(landmarks)
    untrained = set(order[: max(1, round(landmarks * NOT_IN_TRAIN_SHARE))].tolist())
    with_interior = set(rng.permutation(landmarks)[: max(1, round(landmarks * INTERIOR_SHARE))].tolist())

    planned: list[tuple[str, int | None, str, str | None]] = []  # split, landmark, view, group
    for landmark in range(landmarks):
        has_interior = landmark in with_interior
        if landmark not in untrained:
            planned += [("train", landmark, view, None) for view in _views(_long_tailed(rng, *TRAIN_IMAGES, 0.66), has_interior, rng)]
        planned += [("index", landmark, view, None) for view in _views(_long_tailed(rng, *INDEX_IMAGES, 0.52), has_interior, rng)]
        for view in _views(int(rng.integers(QUERIES[0], QUERIES[1] + 1)), has_interior, rng):
            planned.append(("test", landmark, view, "not in train" if landmark in untrained else view))
    counts = {split: sum(row[0] == split for row in planned) for split in ("index", "test")}
    planned += [("index", None, "distractor", None)] * round(counts["index"] * INDEX_DISTRACTORS / (1 - INDEX_DISTRACTORS))
    planned += [("test", None, "distractor", "distractor")] * max(1, round(counts["test"] * IGNORED_QUERIES / (1 - IGNORED_QUERIES)))

    scored = rng.permutation([place for place, row in enumerate(planned) if row[0] == "test" and row[1] is not None])
    public = set(scored[: max(1, round(len(scored) * PUBLIC_SHARE))].tolist())
    shots = []
    for number in rng.permutation(len(planned)).tolist():
        split, landmark, view, group = planned[number]
        usage = None if split != "test" else "Ignored" if landmark is None else "Public" if number in public else "Private"
        family = -1 if landmark is None else int(families[landmark])
        shots.append(Shot(shot_id(seed, number), split, landmark, view, usage, group, seed, number, family))
    return shots


def _long_tailed(rng: np.random.Generator, low: int, high: int, bend: float) -> int:
    """A count in low..high; most are small, a few large. bend: the larger, the more large ones."""
    return int(round(low + (high - low) * rng.random() ** (1 / bend)))


def _views(count: int, has_interior: bool, rng: np.random.Generator) -> list[str]:
    """The views of `count` photos; with an interior, about a third of them are taken inside, and never none or all."""
    if not has_interior:
        return ["exterior"] * count
    inside = int(np.clip(rng.binomial(count, 0.35), 1, count - 1))
    return ["interior"] * inside + ["exterior"] * (count - inside)
