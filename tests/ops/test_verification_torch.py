import numpy as np
import pytest
import torch

from landmarks.config.verification import VerificationSettings
from landmarks.ops.geometry import SAMPLE
from landmarks.ops.local_features import LocalFeatures, quantise
from landmarks.ops.ransac import _draw
from landmarks.ops.verification import pair_seed, verify_pairs
from landmarks.ops.verification_torch import _bits, verify_pairs_torch

SETTINGS = VerificationSettings()


@pytest.mark.parametrize("transform", SAMPLE)
def test_batched_tensors_find_the_same_matches_and_nearly_the_same_inliers(images, every_pair, seeds, transform):
    settings = SETTINGS.model_copy(update=dict(transform=transform, trials=300))
    expected = verify_pairs(*images, every_pair, seeds, settings)
    found = verify_pairs_torch(*images, every_pair, seeds, settings, "cpu", batch=7)
    assert found.matches.tolist() == expected.matches.tolist()
    assert np.abs(found.inliers - expected.inliers).max() <= 2
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    if transform != "similarity":  # the true transform is none: few inliers, and several models that explain as many
        related = expected.inliers >= 25
        assert related.sum() == 3 and found.models[related] == pytest.approx(expected.models[related], abs=0.5)
    small = [side._replace(**dict(zip(("descriptors", "factors"), quantise(side.descriptors), strict=True))) for side in images]
    again = verify_pairs_torch(*small, every_pair[::-1], seeds[::-1], settings, "cpu")
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
