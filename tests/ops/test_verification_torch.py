import numpy as np
import pytest
import torch

from landmarks.config.verification import VerificationSettings
from landmarks.ops.geometry import SAMPLE, project
from landmarks.ops.local_features import LocalFeatures, quantise
from landmarks.ops.ransac import _draw
from landmarks.ops.vectors import l2_normalise
from landmarks.ops.verification import pair_seed, verify_pairs
from landmarks.ops.verification_torch import _bits, verify_pairs_torch

TRUE = np.array([[1.1, 0.2, -60.0], [-0.1, 0.9, 40.0], [0, 0, 1]])
SETTINGS = VerificationSettings()
COUNTS = [80, 50, 0, 3, 90]  # features of each image


@pytest.fixture(scope="module")
def images():
    """Five query and five index images: those of one number show the same place, by TRUE, with a third of the features unrelated."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(COUNTS)]).astype(np.int64)
    total = offsets[-1]
    descriptors, points = l2_normalise(rng.normal(size=(total, 24))), rng.random((total, 2)) * (1000, 700)
    again, moved = l2_normalise(descriptors + 0.1 * rng.normal(size=descriptors.shape)), project(TRUE, points)
    elsewhere = np.arange(total) % 3 == 0
    moved[elsewhere] = rng.random((elsewhere.sum(), 2)) * (1000, 700)
    return tuple(
        LocalFeatures(some, None, np.column_stack([place, np.ones((total, 2))]).astype(np.float32), offsets)
        for some, place in ((descriptors, points), (again, moved))
    )


EVERY_PAIR = np.array([[query, image] for query in range(5) for image in range(5)])
SEEDS = np.array([pair_seed(f"q{query}", f"i{image}") for query, image in EVERY_PAIR])


@pytest.mark.parametrize("transform", SAMPLE)
def test_batched_tensors_find_the_same_matches_and_nearly_the_same_inliers(images, transform):
    settings = SETTINGS.model_copy(update=dict(transform=transform, trials=300))
    expected = verify_pairs(*images, EVERY_PAIR, SEEDS, settings)
    found = verify_pairs_torch(*images, EVERY_PAIR, SEEDS, settings, "cpu", batch=7)
    assert found.matches.tolist() == expected.matches.tolist()
    assert np.abs(found.inliers - expected.inliers).max() <= 2
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    if transform != "similarity":  # TRUE is none: few inliers, and several models that explain as many
        related = expected.inliers >= 25
        assert related.sum() == 3 and found.models[related] == pytest.approx(expected.models[related], abs=0.5)
    small = [side._replace(**dict(zip(("descriptors", "factors"), quantise(side.descriptors), strict=True))) for side in images]
    again = verify_pairs_torch(*small, EVERY_PAIR[::-1], SEEDS[::-1], settings, "cpu")
    assert np.abs(again.inliers[::-1] - expected.inliers).max() <= 5


def test_the_random_samples_are_those_of_the_processor_s_version():
    seeds = [3, 2**63 - 1, pair_seed("a", "b")]
    drawn = (_bits(torch.tensor(seeds), 40) * 977) >> 32
    for row, seed in enumerate(seeds):
        sample = np.zeros(40, np.int64)
        _draw(np.uint64(seed), 977, sample)
        assert drawn[row].tolist() == sample.tolist()


def test_no_pairs_and_no_features(images):
    found = verify_pairs_torch(*images, np.empty((0, 2), np.int64), np.empty(0, np.int64), SETTINGS, "cpu")
    assert [array.shape for array in found] == [(0,), (0,), (0, 3, 3)]
    none = LocalFeatures(np.empty((0, 24), np.float32), None, np.empty((0, 4), np.float32), np.zeros(2, np.int64))
    found = verify_pairs_torch(none, none, np.array([[0, 0]]), np.array([1]), SETTINGS, "cpu")
    assert found.inliers.tolist() == [0] and not found.models.any()
