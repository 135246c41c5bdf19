import numpy as np
import pytest

from landmarks.ops.cleaning import images_to_keep, same_label_neighbours


def neighbours_one_by_one(neighbours, images, labels, most):
    pairs = []
    for image, row in zip(images.tolist(), neighbours.tolist(), strict=True):
        same = [other for other in row if other >= 0 and other != image and labels[other] == labels[image]]
        pairs += [(image, other) for other in same[:most]]
    return pairs


def keep_one_by_one(labels, pairs, inliers, min_inliers, min_pairs, min_images):
    """The rules of the paper, one image after the other."""
    kept = []
    for image in range(len(labels)):
        counts = [count for (one, _), count in zip(pairs.tolist(), inliers.tolist(), strict=True) if one == image]
        kept.append(sum(count >= min_inliers for count in counts) >= min_pairs)
    sizes = {}
    for label, stays in zip(labels.tolist(), kept, strict=True):
        sizes[label] = sizes.get(label, 0) + stays
    return [stays and sizes[label] >= min_images for label, stays in zip(labels.tolist(), kept, strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_and_kept_images_equal_the_rules_one_by_one(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-2, 6, 60)
    images = np.arange(60)
    neighbours = np.array([rng.permutation(60)[:25] for _ in images])
    neighbours[rng.random(neighbours.shape) < 0.1] = -1
    pairs = same_label_neighbours(neighbours, images, labels, 4)
    assert list(map(tuple, pairs.tolist())) == neighbours_one_by_one(neighbours, images, labels, 4)
    inliers = rng.integers(25, 36, len(pairs))
    kept = images_to_keep(labels, pairs, inliers, min_inliers=30, min_pairs=2, min_images=3)
    assert kept.tolist() == keep_one_by_one(labels, pairs, inliers, 30, 2, 3) and 0 < kept.sum() < 60


def test_a_block_of_images_is_told_apart_from_itself_by_its_own_rows():
    labels = np.array([0, 0, 0, 0])
    pairs = same_label_neighbours(np.array([[3, 2, 1, 0]]), np.array([3]), labels, 2)
    assert pairs.tolist() == [[3, 2], [3, 1]] and pairs.dtype == np.int64


def test_the_last_pair_counts_and_a_pair_counts_for_its_image_only():
    labels = np.array([5, 5, 5])
    pairs = np.array([[0, 1], [0, 2], [1, 0], [1, 2], [2, 0]])
    inliers = np.array([30, 31, 30, 29, 200])
    keep = dict(min_inliers=30, min_images=1)
    assert images_to_keep(labels, pairs, inliers, min_pairs=1, **keep).tolist() == [True, True, True]
    assert images_to_keep(labels, pairs, inliers, min_pairs=2, **keep).tolist() == [True, False, False]


def test_a_label_with_one_image_left_is_dropped_as_a_whole():
    labels = np.array([7, 7, -3, -3])
    pairs = np.array([[0, 1], [1, 0], [2, 3]])
    assert images_to_keep(labels, pairs, np.array([40, 40, 40]), min_inliers=30, min_pairs=1, min_images=2).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_no_pairs_no_images():
    none = np.empty((0, 2), np.int64)
    settings = dict(min_inliers=30, min_pairs=3, min_images=2)
    assert images_to_keep(np.array([1, 1]), none, np.empty(0, np.int32), **settings).tolist() == [False, False]
    assert images_to_keep(np.empty(0, np.int64), none, np.empty(0, np.int32), **settings).shape == (0,)
    assert same_label_neighbours(np.full((2, 3), -1), np.arange(2), np.array([1, 1]), 5).shape == (0, 2)
