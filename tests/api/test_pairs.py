import numpy as np
import pytest

import landmarks as lm


def features(count=60, seed=0):
    random = np.random.default_rng(seed)
    return lm.Features(640 * random.random((count, 2)), random.standard_normal((count, 40)))


def test_the_transform_between_two_views_is_found_among_strangers():
    first = features()
    matrix = np.array([[0.9, -0.2, 40], [0.25, 1.1, -10], [0, 0, 1]])
    points = np.column_stack([first.keypoints, np.ones(60)]) @ matrix.T
    points[40:, :2] = 640 * np.random.default_rng(1).random((20, 2))
    found = lm.verify_pair(first, lm.Features(points[:, :2], first.descriptors))
    assert 40 <= found.inliers <= 44 and len(found.matches) == 60 and found.is_inlier[found.matches[:, 0] < 40].all()
    np.testing.assert_allclose(found.transform[:2], matrix[:2], atol=0.05 * np.abs(matrix[:2]).max())
    assert repr(found) == f"VerifiedPair({found.inliers} inliers of 60 matches)" and repr(first) == "Features(60 of 40 dimensions)"


def test_strangers_share_nothing_and_no_features_are_no_fault():
    assert lm.verify_pair(features(), features(seed=5), max_distance=0.5).inliers == 0
    none = lm.Features(np.zeros((0, 2)), np.zeros((0, 40)))
    assert lm.verify_pair(features(), none).inliers == 0


def test_the_length_of_descriptors_does_not_matter():
    first = features()
    longer = lm.Features(first.keypoints, 7 * first.descriptors)
    assert lm.verify_pair(first, longer).inliers == 60


@pytest.mark.parametrize(
    "wrong", [lambda: lm.Features(np.zeros((3, 2)), np.zeros((4, 8))), lambda: lm.Features(np.zeros(3), np.zeros((3, 8)))]
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(lm.UserError, match="do not fit"):
        wrong()
    with pytest.raises(lm.UserError, match="40 and of 8 dimensions"):
        lm.verify_pair(features(), lm.Features(np.zeros((3, 2)), np.ones((3, 8))))
