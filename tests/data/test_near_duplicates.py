"""Copies of a picture are found; other pictures are not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from landmarks.data.near_duplicates import first_of_each, near_duplicate_pairs, perceptual_hashes, small_grey


def scene(seed: int, height: int = 360, width: int = 480) -> np.ndarray:
    """Soft blobs: as unlike one another as photos are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((288, 216), Image.Resampling.LANCZOS))


@pytest.mark.parametrize(
    "change",
    [
        resized,
        lambda image: (image * 0.8 + 20).astype(np.uint8),
        lambda image: np.asarray(Image.fromarray(image).convert("L")),
        lambda image: np.clip(image + np.random.default_rng(1).normal(0, 6, image.shape), 0, 255).astype(np.uint8),
    ],
    ids=["resized", "faded", "grey", "noisy"],
)
def test_a_changed_copy_is_found(change):
    small = np.stack([small_grey(scene(n)) for n in range(20)] + [small_grey(change(scene(7)))])
    assert near_duplicate_pairs(small, 3).tolist() == [[7, 20]]


def test_a_mirrored_copy_is_another_picture():
    small = np.stack([small_grey(scene(7)), small_grey(scene(7)[:, ::-1])])
    assert len(near_duplicate_pairs(small, 3)) == 0


def test_pictures_of_one_colour_have_no_duplicates():
    small = np.stack([np.full((32, 32), value, np.uint8) for value in (0, 90, 90)])
    assert len(near_duplicate_pairs(small, 16)) == 0


def test_blocks_find_what_brute_force_finds(monkeypatch):
    monkeypatch.setattr("landmarks.data.near_duplicates.BLOCK", 7)
    generator = np.random.default_rng(0)
    small = np.stack([small_grey(scene(n % 25)) for n in range(50)])
    small = np.clip(small + generator.normal(0, 5, small.shape), 0, 255).astype(np.uint8)
    hashes = [int(value) for value in perceptual_hashes(small)]
    expected = [
        [i, j]
        for i in range(50)
        for j in range(i + 1, 50)
        if (hashes[i] ^ hashes[j]).bit_count() <= 6
        and np.corrcoef(*(small[n].reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel() for n in (i, j)))[0, 1] > 0.95
    ]
    assert len(expected) >= 20
    assert near_duplicate_pairs(small, 6).tolist() == expected


def test_the_thumbnail_refuses_what_the_hash_lets_through():
    """With all 64 bits allowed to differ, the thumbnail alone decides."""
    small = np.stack([small_grey(scene(n)) for n in range(6)])
    assert len(near_duplicate_pairs(small, 64)) == 0


@pytest.mark.parametrize("bits, found", [(-1, 0), (0, 1)])
def test_negative_bits_find_nothing(bits, found):
    small = np.stack([small_grey(scene(1))] * 2)
    assert len(near_duplicate_pairs(small, bits)) == found
    assert len(near_duplicate_pairs(small[:0], bits)) == 0


def pairs(*rows):
    return np.array(rows, np.int64).reshape(-1, 2)


def test_the_first_stays():
    representatives, conflicts = first_of_each(pairs((0, 2), (0, 3), (2, 3)), np.array(list("aaaa")))
    assert representatives.tolist() == [0, 1, 0, 0]
    assert not conflicts.any()


def test_no_photo_is_dropped_for_one_that_is_itself_dropped():
    representatives, _ = first_of_each(pairs((0, 1), (1, 2)), np.array(list("aaa")))
    assert representatives.tolist() == [0, 0, 2]


def test_one_picture_under_two_labels_leaves_with_its_copies():
    representatives, conflicts = first_of_each(pairs((0, 1), (0, 2)), np.array(list("aabb")))
    assert conflicts.tolist() == [True, True, True, False]
    assert representatives.tolist() == [0, 1, 2, 3]
