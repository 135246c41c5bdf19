import numpy as np
import pytest

from landmarks.ops import knn
from landmarks.ops.knn import compressed_knn, exact_knn, open_index, recall, streamed_knn


@pytest.mark.parametrize(("queries", "index", "k"), [(3, 50, 10), (90, 300, 100), (5, 4, 10)])
def test_neighbours_equal_a_full_sort(queries, index, k):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((queries, 16)).astype(np.float32), rng.standard_normal((index, 16)).astype(np.float32)
    indices, similarities = exact_knn(a, b, k)
    product = a @ b.T
    order = np.argsort(-product, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices[:, : order.shape[1]], order)
    np.testing.assert_allclose(similarities[:, : order.shape[1]], np.take_along_axis(product, order, axis=1), rtol=1e-4, atol=1e-5)
    assert (indices[:, index:] == -1).all() and np.isneginf(similarities[:, index:]).all()


def test_equal_similarities_stand_in_index_order():
    index = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    indices, _ = exact_knn(np.eye(3, dtype=np.float32)[[1]], index, 15)
    assert indices[0].tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 10, 11, 12, 13, 14]


def test_blocks_are_the_whole_and_empty_inputs_have_shape(monkeypatch):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((70, 8)).astype(np.float32), rng.standard_normal((40, 8)).astype(np.float32)
    whole, done = exact_knn(a, b, 5), []
    monkeypatch.setattr(knn, "_TOGETHER", 32)
    for array, part in zip(whole, open_index(b)(a, 5, done.append), strict=True):
        np.testing.assert_array_equal(array, part)
    assert done == [32, 32, 6]
    assert exact_knn(a[:0], b, 5)[0].shape == (0, 5)
    assert (exact_knn(a, b[:0], 5)[0] == -1).all()
    with pytest.raises(ValueError, match="dimensions"):
        exact_knn(a, b[:, :4], 5)


@pytest.mark.parametrize(("index", "k", "block"), [(300, 20, 64), (300, 20, 7), (12, 20, 5), (0, 3, 5)])
def test_an_index_that_goes_by_in_blocks_finds_the_same(index, k, block, monkeypatch):
    monkeypatch.setattr(knn, "_BLOCK", 4)  # nine queries whose lists are merged four at a time
    rng = np.random.default_rng(2)
    a, b = rng.integers(-2, 3, (9, 4)).astype(np.float32), rng.integers(-2, 3, (index, 4)).astype(np.float16)
    product = a @ b.astype(np.float32).T  # small whole numbers: exact, with many ties
    seen = []
    indices, similarities = streamed_knn(a, b, k, block=block, on_block=seen.append)
    assert sum(seen) == index
    np.testing.assert_array_equal(similarities[:, :index], -np.sort(-product, axis=1)[:, :k])
    for row, values, products in zip(indices, similarities, product, strict=True):
        kept = row[row >= 0]
        values = values[: len(kept)]
        assert len(set(kept.tolist())) == min(k, index)
        np.testing.assert_array_equal(products[kept], values)
        same = values[1:] == values[:-1]
        assert (kept[1:][same] > kept[:-1][same]).all(), "equal similarities are in index order"
    assert (indices[:, index:] == -1).all() and np.isneginf(similarities[:, index:]).all()


def test_a_compressed_index_finds_most_neighbours_with_exact_similarities():
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((50, 32))
    vectors = (centres[rng.integers(0, 50, 3000)] + 0.6 * rng.standard_normal((3000, 32))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index, queries, seen = vectors[:2900].astype(np.float16), vectors[2900:], []
    found, similarities = compressed_knn(queries, index, 20, on_block=seen.append)
    exact, exact_similarities = exact_knn(queries, index, 20)
    assert recall(found, exact) > 0.9 and sum(seen) == 100
    products = queries.astype(np.float64) @ index.astype(np.float64).T
    np.testing.assert_allclose(similarities, np.take_along_axis(products, found, axis=1), atol=1e-5)
    assert (np.diff(similarities, axis=1) <= 0).all() and (similarities[:, 0] <= exact_similarities[:, 0] + 1e-6).all()
    np.testing.assert_array_equal(compressed_knn(queries, index, 20)[0], found)


def test_a_compressed_index_of_few_vectors_and_of_odd_widths():
    rng = np.random.default_rng(4)
    for rows, columns, k in ((100, 7, 200), (30, 1, 3)):
        a, b = rng.standard_normal((5, columns)).astype(np.float32), rng.standard_normal((rows, columns)).astype(np.float16)
        found, similarities = compressed_knn(a, b, k)
        assert found.shape == (5, k) and (found[:, rows:] == -1).all() and np.isneginf(similarities[:, rows:]).all()
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in found)


def test_recall_is_counted():
    exact, found = np.array([[1, 2, 3], [4, 5, -1]]), np.array([[3, 9, 1], [-1, -1, 5]])
    assert recall(found, exact) == 3 / 5
