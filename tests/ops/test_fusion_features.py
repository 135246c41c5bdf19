"""Each kind of evidence against a loop over queries, candidates and definitions."""

import numpy as np
import pytest

from landmarks.ops.fusion_features import (
    below_best,
    common_neighbours,
    label_agreements,
    pair_similarities,
    reciprocal_places,
    similarities_to_first,
    standard_scores,
)
from landmarks.ops.label_spread import LabelDistributions

QUERIES, IMAGES, LISTED, NEAR = 9, 30, 8, 5


def unit(random, n):
    rows = random.standard_normal((n, 6))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def lists(random, rows, width, among=IMAGES):
    """Rows of different images, a few of them ending early, the last one empty."""
    found = np.stack([random.permutation(among)[:width] for _ in range(rows)]).astype(np.int32)
    for row in range(0, rows, 3):
        found[row, width - row % width :] = -1
    found[-1] = -1
    return found


@pytest.fixture(params=range(3))
def world(request):
    random = np.random.default_rng(request.param)
    return random, unit(random, QUERIES), unit(random, IMAGES), lists(random, QUERIES, LISTED)


def by_definition(indices, value):
    """value(query, image, place) for every candidate, NaN elsewhere."""
    result = np.full(indices.shape, np.nan)
    for query, row in enumerate(indices):
        for place, image in enumerate(row):
            if image >= 0:
                result[query, place] = value(query, image, place)
    return result


def check(found, indices, value):
    assert found.shape == indices.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, by_definition(indices, value), atol=1e-5)


def test_pair_similarities(world):
    _, queries, images, indices = world
    queries, images = queries.astype(np.float64), images.astype(np.float64)
    check(pair_similarities(world[1], world[2], indices), indices, lambda query, image, place: queries[query] @ images[image])


@pytest.mark.parametrize("first", [1, 3, 20])
def test_similarities_to_the_first(world, first):
    _, _, images, indices = world

    def mean(query, image, place):
        others = [other for other in indices[query][:first] if other >= 0 and other != image]
        values = [images[image].astype(float) @ images[other].astype(float) for other in others]
        return np.mean(values) if values else np.nan

    check(similarities_to_first(images, indices, first), indices, mean)


def test_common_neighbours(world):
    random, _, _, indices = world
    of_queries, of_images = lists(random, QUERIES, NEAR), lists(random, IMAGES, NEAR)

    def share(query, image, place):
        own = set(of_queries[query]) - {-1}
        return len(own & ({image} | set(of_images[image]))) / len(own) if own else np.nan

    check(common_neighbours(of_queries, of_images, indices), indices, share)


def test_reciprocal_places(world):
    random, _, _, indices = world
    similarities = random.random(indices.shape, dtype=np.float32)
    of_images = -np.sort(-random.random((IMAGES, NEAR), dtype=np.float32), axis=1)
    of_images[3:5, 2:] = -np.inf
    of_images[indices[0, 0], 0] = similarities[0, 0]  # a tie is not nearer
    check(
        reciprocal_places(similarities, of_images, indices),
        indices,
        lambda query, image, place: 1 / (1 + sum(other > similarities[query, place] for other in of_images[image])),
    )


def test_label_agreements(world):
    random, _, _, indices = world

    def distributions(n):
        labels = lists(random, n, 3, among=5)
        return LabelDistributions(labels, np.where(labels >= 0, random.random((n, 3)), 0).astype(np.float32))

    queries, images = distributions(QUERIES), distributions(IMAGES)

    def dense(part, row):
        table = np.zeros(5)
        for label, share in zip(part.labels[row], part.shares[row], strict=True):
            if label >= 0:
                table[label] += share
        return table

    check(label_agreements(queries, images, indices), indices, lambda query, image, place: dense(queries, query) @ dense(images, image))


def test_rows_against_their_own_worked_by_hand():
    values = np.array([[0.5, 0.25, 0.75], [1, np.nan, 3], [2, 2, 2], [np.nan, np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(below_best(values)[:3], [[-0.25, -0.5, 0], [-2, np.nan, 0], [0, 0, 0]])
    root = np.sqrt(1.5)
    np.testing.assert_allclose(standard_scores(values)[:3], [[0, -root, root], [-1, np.nan, 1], [0, 0, 0]], atol=1e-6)
    assert np.isnan(below_best(values)[3]).all() and np.isnan(standard_scores(values)[3]).all()
    assert below_best(values[:0]).shape == standard_scores(values[:0]).shape == (0, 3)
    assert below_best(values[:, :0]).shape == standard_scores(values[:, :0]).shape == (4, 0)
