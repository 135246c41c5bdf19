import numpy as np
import pytest

from landmarks.ops.expansion import expand
from landmarks.ops.knn import exact_knn
from landmarks.ops.vectors import l2_normalise


def unit(rng, rows, columns):
    return l2_normalise(rng.standard_normal((rows, columns)))


def expand_one_by_one(own, vectors, neighbours, similarities, power, itself):
    result = []
    for row in range(len(own)):
        total = [float(value) for value in own[row]]
        for image, similarity in zip(neighbours[row].tolist(), similarities[row].tolist(), strict=True):
            if image >= 0 and image != itself[row]:
                weight = max(similarity, 0.0) ** power if power else 1.0
                total = [value + weight * float(other) for value, other in zip(total, vectors[image], strict=True)]
        length = sum(value**2 for value in total) ** 0.5
        result.append([value / length if length else 0.0 for value in total])
    return np.array(result).reshape(own.shape)


@pytest.mark.parametrize("power", [0, 0.5, 1, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_equals_the_plain_twin_with_missing_neighbours_and_copies(power, dtype):
    rng = np.random.default_rng(0)
    own, vectors = unit(rng, 15, 6).astype(dtype), unit(rng, 30, 6).astype(dtype)
    vectors[7] = vectors[3]
    neighbours, similarities = exact_knn(own, vectors, 30)
    for row, kept in zip(range(15), rng.integers(0, 31, 15), strict=True):
        neighbours[row, kept:], similarities[row, kept:] = -1, -np.inf
    itself = np.where(rng.random(15) < 0.5, neighbours[:, 0], -1)
    expected = expand_one_by_one(own, vectors, neighbours, similarities, power, itself)
    np.testing.assert_allclose(expand(own, vectors, neighbours, similarities, power, itself), expected, atol=2e-6)


def test_worked_by_hand():
    """(1, 0) with neighbours (0.6, 0.8) and (0.6, -0.8), cosine 0.6 each: weights 0.6^2; (1, 0) itself is none of them."""
    own, vectors = np.array([[1.0, 0]]), np.array([[0.6, 0.8], [0.6, -0.8], [-1, 0]])
    neighbours, similarities = np.array([[0, 1, 2]], np.int32), np.array([[0.6, 0.6, -1]], np.float32)
    np.testing.assert_allclose(expand(own, vectors, neighbours[:, :1], similarities[:, :1], 2), l2_normalise([[1.216, 0.288]]), rtol=1e-6)
    np.testing.assert_allclose(expand(own, vectors, neighbours, similarities, 2), [[1, 0]], rtol=1e-6)
    np.testing.assert_allclose(expand(own, vectors, neighbours[:, ::2], similarities[:, ::2], 0), l2_normalise([[0.6, 0.8]]), rtol=1e-6)


def test_the_image_itself_counts_once_and_its_copy_is_a_neighbour():
    vectors = np.array([[1.0, 0], [1, 0], [0.6, 0.8]], np.float32)
    neighbours, similarities = exact_knn(vectors, vectors, 3)
    augmented = expand(vectors, vectors, neighbours, similarities, 1, np.arange(3))
    np.testing.assert_allclose(augmented[0], l2_normalise([[2.36, 0.48]])[0], rtol=1e-6)
    np.testing.assert_allclose(augmented[0], augmented[1], rtol=1e-6)
    np.testing.assert_array_equal(expand(vectors[1:2], vectors, neighbours[1:2], similarities[1:2], 1, np.array([1]))[0], augmented[1])


def test_float16_in_gives_the_same_as_float32_of_it():
    rng = np.random.default_rng(2)
    vectors = unit(rng, 40, 16).astype(np.float16)
    neighbours, similarities = exact_knn(vectors, vectors, 5)
    wide = vectors.astype(np.float32)
    expected = expand(wide, wide, neighbours, similarities, 3)
    np.testing.assert_array_equal(expand(vectors, vectors, neighbours, similarities, 3), expected)
    np.testing.assert_array_equal(expand(wide, vectors, neighbours, similarities, 3), expected)


def test_no_neighbours_is_the_identity_and_zero_stays_zero():
    own = np.array([[0.6, 0.8], [0, 0]], np.float32)
    none = np.empty((2, 0), np.int32), np.empty((2, 0), np.float32)
    np.testing.assert_allclose(expand(own, own, *none, 3), own, rtol=1e-6)
    absent = np.full((2, 3), -1, np.int32), np.full((2, 3), -np.inf, np.float32)
    np.testing.assert_allclose(expand(own, np.empty((0, 2)), *absent, 0), own, rtol=1e-6)
    assert expand(own[:0], own, absent[0][:0], absent[1][:0], 3).shape == (0, 2)


def test_shapes_that_disagree_are_refused():
    own = np.eye(2, dtype=np.float32)
    with pytest.raises(ValueError, match="neighbours"):
        expand(own, own, np.zeros((2, 2), np.int32), np.zeros((2, 1), np.float32), 3)
    with pytest.raises(ValueError, match="vectors"):
        expand(own, np.eye(3), np.zeros((2, 2), np.int32), np.zeros((2, 2), np.float32), 3)
    with pytest.raises(ValueError, match="itself"):
        expand(own, own, np.zeros((2, 2), np.int32), np.zeros((2, 2), np.float32), 3, np.zeros(3, np.int64))
