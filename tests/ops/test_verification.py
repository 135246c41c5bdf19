import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from landmarks.config.verification import VerificationSettings
from landmarks.ops import verification
from landmarks.ops.geometry import project
from landmarks.ops.local_features import LocalFeatures, quantise
from landmarks.ops.vectors import l2_normalise
from landmarks.ops.verification import match_pair, pair_seed, verify_pairs

PHOTOS = Path(os.environ.get("LANDMARKS_PHOTOS", Path(__file__).parents[2].parent / "shared" / "photos"))
SETTINGS = VerificationSettings()


def as_lists(verified):
    return [array.tolist() for array in verified]


def test_related_pairs_have_inliers_and_the_transform(images, every_pair, seeds, true_transform):
    verified = verify_pairs(*images, every_pair, seeds, SETTINGS)
    counts = np.diff(images[0].offsets)
    inliers = verified.inliers.reshape(5, 5)
    for image in (0, 1, 4):
        assert counts[image] * 0.6 < inliers[image, image] <= counts[image]
        model = verified.models.reshape(5, 5, 3, 3)[image, image]
        corners = np.array([[0, 0], [1000, 0], [0, 700], [1000, 700.0]])
        assert np.abs(project(model, corners) - project(true_transform, corners)).max() < 1
    unrelated = ~np.eye(5, dtype=bool)
    assert inliers[unrelated].max() < 12
    # no features, or three: no score
    assert not inliers[2:4].any() and not inliers[:, 2:4].any() and not verified.models.reshape(5, 5, 3, 3)[2:4].any()
    assert verified.matches.reshape(5, 5)[3, 3] == 3
    assert [array.dtype for array in verified] == [np.int32, np.int32, np.float32]


def test_a_pair_s_result_does_not_depend_on_order_batch_or_threads(images, every_pair, seeds):
    expected = verify_pairs(*images, every_pair, seeds, SETTINGS)
    order = np.random.default_rng(1).permutation(len(every_pair))
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            permuted = verify_pairs(*images, every_pair[order], seeds[order], SETTINGS)
            assert as_lists(permuted) == [array[order].tolist() for array in expected]
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for number, (pair, seed) in enumerate(zip(every_pair, seeds, strict=True)):
        alone = verify_pairs(*images, pair[None], np.array([seed]), SETTINGS)
        assert as_lists(alone) == [array[number : number + 1].tolist() for array in expected]


def test_no_pairs(images):
    verified = verify_pairs(*images, np.empty((0, 2), np.int64), np.empty(0, np.int64), SETTINGS)
    assert [array.shape for array in verified] == [(0,), (0,), (0, 3, 3)]


def test_one_pair_for_drawing_is_the_pair_of_many(images, every_pair, seeds):
    verified = verify_pairs(*images, every_pair, seeds, SETTINGS)
    match = match_pair(*images, 4, 4, seeds[-1], SETTINGS)
    assert (len(match.rows), match.inside.sum()) == (verified.matches[-1], verified.inliers[-1])
    queries, index = images
    points, moved = (side.keypoints[side.offsets[4] :][rows, :2] for side, rows in zip(images, match.rows.T, strict=True))
    near = np.linalg.norm(project(match.model, points) - moved, axis=1) <= SETTINGS.residual
    assert match.inside.tolist() == near.tolist() and near.sum() > 50


def test_int8_agrees_with_float32(images, every_pair, seeds):
    small = [side._replace(**dict(zip(("descriptors", "factors"), quantise(side.descriptors), strict=True))) for side in images]
    expected, found = (verify_pairs(*sides, every_pair, seeds, SETTINGS) for sides in (images, small))
    related = [0, 6, 24]
    assert np.abs(found.inliers[related] - expected.inliers[related]).max() <= 2
    assert np.abs(found.inliers - expected.inliers).max() <= 5


def test_every_setting_has_an_effect(images, seeds, monkeypatch):
    pair, seed = np.array([[4, 4]]), seeds[-1:]
    fewest = verify_pairs(*images, pair, seed, SETTINGS.model_copy(update=dict(min_matches=1000)))
    assert fewest.matches[0] > 50 and fewest.inliers[0] == 0 and not fewest.models.any()
    assert verify_pairs(*images, pair, seed, SETTINGS.model_copy(update=dict(max_distance=0.01))).matches[0] == 0
    assert verify_pairs(*images, pair, seed, SETTINGS.model_copy(update=dict(ratio=0.01))).matches[0] == 0
    monkeypatch.setattr(verification, "MAX_ANISOTROPY", 1.01)  # the true transform stretches 1.36 times
    assert verify_pairs(*images, pair, seed, SETTINGS).inliers[0] < 30


def test_the_seed_of_a_pair_depends_on_both_ids_in_order():
    assert pair_seed("a", "b") == pair_seed("a", "b") != pair_seed("b", "a")
    assert len({pair_seed("ab", "c"), pair_seed("a", "bc"), pair_seed("abc", "")}) == 3
    assert 0 <= pair_seed("a", "b") < 2**63


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photos in {PHOTOS}")
@pytest.mark.parametrize("transform", ["affine", "homography"])
def test_a_warped_photo_s_transform_is_recovered_within_two_pixels(transform):
    """SIFT points of a real photo and of its warp; the error at the corners, where an extrapolation is worst."""
    true = np.array([[0.8, -0.15, 120.0], [0.1, 0.9, 20.0], [0, 0, 1]])
    if transform == "homography":
        true[2] = [2e-4, -1e-4, 1]
    for path in sorted(PHOTOS.glob("*/*.jpg"))[::400]:
        photo = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        sides = [_sift(photo), _sift(cv2.warpPerspective(photo, true, (photo.shape[1] + 100, photo.shape[0] + 100)))]
        verified = verify_pairs(*sides, np.array([[0, 0]]), np.array([1]), SETTINGS.model_copy(update=dict(transform=transform)))
        corners = np.array([[x, y] for x in (0, photo.shape[1]) for y in (0, photo.shape[0])], float)
        error = np.linalg.norm(project(verified.models[0], corners) - project(true, corners), axis=1)
        assert verified.inliers[0] > 50 and error.max() < 2, path


def _sift(photo):
    keypoints, descriptors = cv2.SIFT_create(1000).detectAndCompute(photo, None)
    table = np.array([(*point.pt, point.size, point.response) for point in keypoints], np.float32)
    return LocalFeatures(l2_normalise(descriptors), None, table, np.array([0, len(table)]))
