"""Local features of images that match: of five places, each seen twice."""

import numpy as np
import pytest

from landmarks.ops.geometry import project
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.vectors import l2_normalise
from landmarks.ops.verification import pair_seed

COUNTS = [80, 50, 0, 3, 90]  # features of each image


@pytest.fixture(scope="session")
def true_transform():
    """(3, 3): from a query image to the index image of the same place; not a similarity, it stretches 1.36 times."""
    return np.array([[1.1, 0.2, -60.0], [-0.1, 0.9, 40.0], [0, 0, 1]])


@pytest.fixture(scope="session")
def images(true_transform):
    """Five query and five index images: those of one number show the same place, with a third of the features unrelated."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(COUNTS)]).astype(np.int64)
    total = offsets[-1]
    descriptors, points = l2_normalise(rng.normal(size=(total, 24))), rng.random((total, 2)) * (1000, 700)
    again, moved = l2_normalise(descriptors + 0.1 * rng.normal(size=descriptors.shape)), project(true_transform, points)
    elsewhere = np.arange(total) % 3 == 0
    moved[elsewhere] = rng.random((elsewhere.sum(), 2)) * (1000, 700)
    return tuple(
        LocalFeatures(some, None, np.column_stack([place, np.ones((total, 2))]).astype(np.float32), offsets)
        for some, place in ((descriptors, points), (again, moved))
    )


@pytest.fixture(scope="session")
def every_pair():
    """(25, 2): each query image with each index image."""
    return np.array([[query, image] for query in range(5) for image in range(5)])


@pytest.fixture(scope="session")
def seeds(every_pair):
    """(25,) of every pair."""
    return np.array([pair_seed(f"q{query}", f"i{image}") for query, image in every_pair])
