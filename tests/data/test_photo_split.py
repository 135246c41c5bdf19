"""The split: the same photo in the same place, no query without an index photo."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks.config import PhotosSettings
from landmarks.data.photo_split import split_photos
from landmarks.errors import UserError


def photos(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """counts[n] photos of landmark n."""
    labels = np.array([f"place {n}" for n, count in enumerate(counts) for _ in range(count)], dtype=object)
    return np.array([f"{n:016x}" for n in range(len(labels))], dtype=object), labels


def places(ids, labels, settings) -> dict[str, tuple[str, str]]:
    split = split_photos(ids, labels, settings)
    return dict(zip(ids, zip(split.splits, split.usages, strict=True), strict=True))


def test_shares_are_about_what_was_asked_for():
    ids, labels = photos(*[200] * 20)
    split = split_photos(ids, labels, PhotosSettings())
    assert len(split.trained) == 15
    in_trained = np.isin(labels, list(split.trained))
    share = {name: (split.splits[in_trained] == name).mean() for name in ("train", "index", "test")}
    assert share == pytest.approx({"train": 0.5, "index": 0.35, "test": 0.15}, abs=0.03)
    assert set(split.splits[~in_trained]) == {"index", "test"}
    assert (split.splits[~in_trained] == "test").mean() == pytest.approx(0.15, abs=0.03)
    assert (split.usages[split.splits == "test"] == "Public").mean() == pytest.approx(1 / 3, abs=0.06)
    assert (split.usages[split.splits != "test"] == "").all()


def test_the_split_does_not_depend_on_the_order_of_the_photos():
    ids, labels = photos(30, 9, 4, 2, 1)
    order = np.random.default_rng(0).permutation(len(ids))
    assert places(ids[order], labels[order], PhotosSettings()) == places(ids, labels, PhotosSettings())


def test_a_photo_more_leaves_the_others_where_they_are():
    ids, labels = photos(30, 40, 30, 50)
    before = places(ids, labels, PhotosSettings())
    for label in sorted(set(labels)):
        for n in range(10):
            after = places(np.append(ids, f"new {n}"), np.append(labels, label), PhotosSettings())
            assert {id: after[id] for id in before} == before


def test_another_seed_is_another_split():
    ids, labels = photos(30, 40, 30, 50)
    assert places(ids, labels, PhotosSettings(seed=1)) != places(ids, labels, PhotosSettings())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shares", [(0.5, 0.15), (0.9, 0.05), (0.05, 0.9)], ids=str)
def test_every_query_has_an_answer_and_every_larger_landmark_its_splits(seed, shares):
    ids, labels = photos(4, 5, 6, 4, 3, 2, 1, 1)
    split = split_photos(ids, labels, PhotosSettings(seed=seed, train_share=shares[0], test_share=shares[1]))
    assert set(split.splits) == {"train", "index", "test"}
    assert {"Public", "Private"} == set(split.usages) - {""}
    for label in sorted(set(labels)):
        has = set(split.splits[labels == label])
        assert "index" in has
        assert ("train" in has) == (label in split.trained)
        if (labels == label).sum() >= 4:
            assert "test" in has
        else:
            assert label not in split.trained


def test_two_landmarks_are_always_left_to_train():
    ids, labels = photos(8, 8, 8)
    assert len(split_photos(ids, labels, PhotosSettings(held_out=0.99)).trained) == 2


def test_too_few_photos_are_the_users_to_fix():
    with pytest.raises(UserError, match="only 1 of 3 landmarks has 4 photos or more"):
        split_photos(*photos(8, 3, 3), PhotosSettings())
