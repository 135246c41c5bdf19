import numpy as np
import pytest

from landmarks.ops.k_reciprocal import encode, k_reciprocal
from landmarks.ops.knn import exact_knn
from landmarks.ops.knn_graph import nearest_others
from landmarks.ops.vectors import l2_normalise


def two_worlds(rng, images):
    """Vectors in no negative direction, every second one at a right angle to all others: the farthest is always at squared distance 2."""
    vectors = np.zeros((images, 10))
    vectors[::2, :5], vectors[1::2, 5:] = rng.random((len(vectors[::2]), 5)), rng.random((len(vectors[1::2]), 5))
    return l2_normalise(vectors)


def original(vectors, k1, k2, original_weight):
    """Zhong et al. as published, dense, every image a query and a candidate: encodings and final distances, both (n, n)."""
    vectors = vectors.astype(np.float64)
    squared = np.maximum(2 - 2 * vectors @ vectors.T, 0)
    distance = squared / squared.max(axis=1, keepdims=True)
    np.fill_diagonal(distance, 0)
    ranked, n = np.argsort(distance, axis=1, kind="stable"), len(vectors)

    def mutual(image, k):
        return {other for other in ranked[image, : k + 1] if image in ranked[other, : k + 1]}

    encodings = np.zeros((n, n))
    for image in range(n):
        core = mutual(image, k1)
        members = set(core)
        for candidate in core:
            theirs = mutual(candidate, int(np.around(k1 / 2)))
            if len(theirs & core) > 2 / 3 * len(theirs):
                members |= theirs
        for member in members:
            encodings[image, member] = np.exp(-distance[image, member])
        encodings[image] /= encodings[image].sum()
    encodings = np.stack([encodings[ranked[image, :k2]].mean(axis=0) for image in range(n)])
    smaller = np.minimum(encodings[:, None], encodings[None]).sum(axis=2)
    return encodings, (1 - smaller / (2 - smaller)) * (1 - original_weight) + distance * original_weight


def dense(encodings, columns):
    result = np.zeros((len(encodings.starts) - 1, columns))
    for row in range(len(result)):
        part = slice(encodings.starts[row], encodings.starts[row + 1])
        assert len(set(encodings.images[part].tolist())) == len(encodings.images[part])
        result[row, encodings.images[part]] = encodings.weights[part]
    return result


@pytest.mark.parametrize(("images", "k1", "k2"), [(60, 8, 3), (60, 5, 1), (50, 20, 6), (30, 1, 2)])
@pytest.mark.parametrize("seed", range(2))
def test_with_all_images_as_candidates_it_is_the_published_algorithm(images, k1, k2, seed):
    vectors = two_worlds(np.random.default_rng(seed), images)
    graph = nearest_others(*exact_knn(vectors, vectors, k1 + 1), k1)
    indices, scores = exact_knn(vectors, vectors, images)
    _, encodings = encode(vectors, indices, scores, vectors, *graph, k1, k2)
    expected, distances = original(vectors, k1, k2, 0.3)
    np.testing.assert_allclose(dense(encodings, images), expected, atol=1e-6)
    ordered, values = k_reciprocal(indices, scores, encodings, encodings, 0.3)
    np.testing.assert_allclose(values, 1 - np.take_along_axis(distances, ordered, axis=1), atol=1e-5)
    assert (np.diff(values, axis=1) <= 0).all() and (np.sort(ordered, axis=1) == np.arange(images)).all()


def queries_one_by_one(queries, indices, scores, vectors, neighbours, similarities, k1, k2):
    """The query's definition with sets: it joins an index that does not change."""
    n = len(vectors)

    def near(image, k):
        return {image} | {other for other in neighbours[image, :k].tolist() if other >= 0}

    def mutual(image, k):
        return {other for other in near(image, k) if image in near(other, k)}

    def encoding(own, core, itself):
        members = set(core)
        for candidate in core:
            theirs = mutual(candidate, int(np.around(k1 / 2)))
            if 3 * len(theirs & core) > 2 * len(theirs):
                members |= theirs
        row = np.zeros(n)
        for member in members:
            row[member] = 1 if member == itself else np.exp(float(own.astype(np.float64) @ vectors[member]) - 1)
        return row / (row.sum() + (itself is None))

    raw = [encoding(vectors[image], mutual(image, k1), image) for image in range(n)]
    result = []
    for query, row, values in zip(queries, indices.tolist(), scores.tolist(), strict=True):
        found = [(image, value) for image, value in zip(row, values, strict=True) if image >= 0]
        core = {image for image, value in found[:k1] if neighbours[image, k1 - 1] < 0 or value >= similarities[image, k1 - 1]}
        rows = [encoding(query, core, None)] + [raw[image] for image, _ in found[: k2 - 1]]
        result.append(np.mean(rows, axis=0))
    return np.array(result)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(("k1", "k2"), [(8, 3), (5, 1), (30, 6)])
def test_queries_equal_the_plain_twin_with_missing_candidates_and_copies(dtype, k1, k2):
    rng = np.random.default_rng(2)
    vectors, queries = (l2_normalise(rng.standard_normal((n, 5)) + 0.5).astype(dtype) for n in (50, 20))
    vectors[7], queries[3], queries[4] = vectors[3], vectors[3], vectors[20]
    graph = nearest_others(*exact_knn(vectors, vectors, min(k1, 25) + 1), k1)  # of 30 asked for, 25 are there
    indices, scores = exact_knn(queries, vectors, 12)
    for row, kept in zip(range(5, 20), rng.integers(0, 13, 15), strict=True):
        indices[row, kept:], scores[row, kept:] = -1, -np.inf
    encodings, index_encodings = encode(queries, indices, scores, vectors, *graph, k1, k2)
    expected = queries_one_by_one(queries, indices, scores, vectors, *graph, k1, k2)
    np.testing.assert_allclose(dense(encodings, 50), expected, atol=1e-6)
    ordered, values = k_reciprocal(indices, scores, encodings, index_encodings, 0.25)
    theirs = dense(index_encodings, 50)
    for row in range(20):
        smaller = [float(np.minimum(expected[row], theirs[image]).sum()) for image in ordered[row] if image >= 0]
        cosines = dict(zip(indices[row].tolist(), scores[row].tolist(), strict=True))
        mixed = [0.75 * m / (2 - m) + 0.25 * cosines[image] for m, image in zip(smaller, ordered[row].tolist(), strict=False)]
        np.testing.assert_allclose(values[row][: len(mixed)], mixed, atol=1e-5)
        assert sorted(ordered[row].tolist()) == sorted(indices[row].tolist()) and (np.diff(values[row][: len(mixed)]) <= 0).all()


def test_all_weight_on_the_cosine_changes_nothing():
    rng = np.random.default_rng(3)
    vectors = two_worlds(rng, 30)
    graph = nearest_others(*exact_knn(vectors, vectors, 6), 5)
    indices, scores = exact_knn(two_worlds(rng, 8), vectors, 10)
    ordered, values = k_reciprocal(indices, scores, *encode(two_worlds(rng, 8), indices, scores, vectors, *graph, 5, 2), 1.0)
    np.testing.assert_array_equal(ordered, indices)
    np.testing.assert_array_equal(values, scores)


def test_nothing_to_do_and_what_is_refused():
    vectors = np.eye(3, dtype=np.float32)
    graph = nearest_others(*exact_knn(vectors, vectors, 3), 2)
    empty = np.empty((0, 4), np.int32), np.empty((0, 4), np.float32)
    assert k_reciprocal(*empty, *encode(vectors[:0], *empty, vectors, *graph, 2, 2))[0].shape == (0, 4)
    none = np.full((1, 2), -1, np.int32), np.full((1, 2), -np.inf, np.float32)
    for k2 in (1, 2):
        assert k_reciprocal(*none, *encode(vectors[:1], *none, vectors, *graph, 2, k2))[0].tolist() == [[-1, -1]]
    no_index = np.empty((0, 2), np.int32), np.empty((0, 2), np.float32)
    assert k_reciprocal(*none, *encode(vectors[:1], *none, vectors[:0], *no_index, 2, 2))[1].tolist() == [[-np.inf, -np.inf]]
    with pytest.raises(ValueError, match="k2 must be"):
        encode(vectors[:1], *none, vectors, *graph, 2, 4)
    with pytest.raises(ValueError, match="k1 = 3"):
        encode(vectors[:1], *none, vectors, *graph, 3, 2)
    with pytest.raises(ValueError, match="disagree"):
        encode(vectors[:2], *none, vectors, *graph, 2, 2)
