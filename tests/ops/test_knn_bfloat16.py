import numpy as np
import pytest

from landmarks.ops import knn, knn_bfloat16
from landmarks.ops.half import kernel_rows
from landmarks.ops.knn import exact_knn, open_index
from landmarks.ops.knn_bfloat16 import Bfloat16Index, _key, _least_key, _rounded, has_products
from landmarks.ops.vectors import l2_normalise

pytestmark = pytest.mark.skipif(not has_products(), reason="this processor has no products in bfloat16")


def as_float32(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def unit(rng, rows, columns):
    return l2_normalise(rng.standard_normal((rows, columns)))


def clustered(rng, rows, columns):
    """Groups of vectors that are nearly the same."""
    return l2_normalise(unit(rng, 40, columns)[rng.integers(0, 40, rows)] + 0.02 * unit(rng, rows, columns))


def duplicated(rng, rows, columns):
    """Each vector several times, of small whole numbers, so that every product is exact."""
    return rng.integers(-3, 4, (rows // 7 + 1, columns)).astype(np.float32).repeat(7, axis=0)[rng.permutation(rows // 7 * 7 + 7)[:rows]]


def lengths_differ(rng, rows, columns):
    return unit(rng, rows, columns) * 10 ** rng.uniform(-0.3, 0.3, (rows, 1)).astype(np.float32)


def nearest(queries, index, k):
    """Similarities in float64, rounded, and indices: equal ones by index."""
    products = (queries.astype(np.float64) @ index.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(products, order, axis=1), order


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f2"])
@pytest.mark.parametrize("made", [unit, clustered, duplicated, lengths_differ])
@pytest.mark.parametrize(("rows", "columns", "k"), [(9000, 64, 100), (1500, 33, 1), (20_000, 16, 30)])
def test_lists_are_those_of_exact_products(made, rows, columns, k, dtype):
    rng = np.random.default_rng(0)
    index, queries = made(rng, rows, columns).astype(dtype), made(rng, 50, columns)
    scores, indices, settled = Bfloat16Index(index).search(queries, k)
    true_scores, true_indices = nearest(queries, index, k)
    assert settled.mean() > 0.5
    np.testing.assert_allclose(scores[settled], true_scores[settled], rtol=2e-7)
    close = np.abs(np.diff(true_scores, axis=1, append=-np.inf)) <= 2e-7 * np.abs(true_scores)
    certain = settled[:, None] & (~(close | np.roll(close, 1, axis=1)) | (made is duplicated))
    assert certain.sum() > 0.3 * indices.size
    np.testing.assert_array_equal(np.where(certain, indices, 0), np.where(certain, true_indices, 0))


@pytest.mark.parametrize("made", [unit, clustered, duplicated])
def test_lists_are_those_of_faiss(made, monkeypatch):
    rng = np.random.default_rng(1)
    index, queries = made(rng, 17_000, 64).astype(np.float16), made(rng, 100, 64)
    assert knn._bfloat16_pays(index, 100) and not knn._bfloat16_pays(index, 63) and not knn._bfloat16_pays(index[:16_000], None)
    indices, scores = exact_knn(queries, index, 50)
    monkeypatch.setattr(knn, "_bfloat16_pays", lambda index, expected: False)
    faiss_indices, faiss_scores = exact_knn(queries, index, 50)
    np.testing.assert_allclose(scores, faiss_scores, rtol=1e-6, atol=1e-6)
    apart = np.abs(np.diff(faiss_scores, axis=1)) > 1e-6  # than FAISS's own rounding
    certain = np.c_[[True] * 100, apart] & np.c_[apart, [False] * 100]
    assert made is duplicated or certain.mean() > 0.5
    np.testing.assert_array_equal(indices[certain], faiss_indices[certain])


def test_rows_that_are_nearly_alike_are_searched_in_float32():
    rng = np.random.default_rng(2)
    index = l2_normalise(unit(rng, 1, 64) + 1e-4 * unit(rng, 17_000, 64))
    queries = np.concatenate([index[:60], unit(rng, 10, 64)])
    _, _, settled = Bfloat16Index(index).search(queries, 5)
    assert not settled[:60].any(), "thousands of rows are as near as rounding can tell"
    indices, scores = exact_knn(queries, index, 5)
    np.testing.assert_allclose(scores, nearest(queries, index, 5)[0], atol=1e-6)
    assert all(len(set(row)) == 5 for row in indices.tolist())


def test_many_neighbours_are_found_too():
    rng = np.random.default_rng(3)
    index, queries = unit(rng, 16_500, 64), unit(rng, 3, 64)
    indices, scores = open_index(index)(queries, 1500)
    true_scores, _ = nearest(queries, index, 1500)
    np.testing.assert_allclose(scores, true_scores, atol=1e-6)
    assert all(len(set(row)) == 1500 for row in indices.tolist())


def test_the_order_of_the_index_and_the_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    index, queries = duplicated(rng, 5000, 40), duplicated(rng, 30, 40)
    whole = Bfloat16Index(index).search(queries, 20)
    monkeypatch.setattr(knn_bfloat16, "_ROWS", 700)
    monkeypatch.setattr(knn_bfloat16, "_QUERIES", 7)
    for one, other in zip(whole, Bfloat16Index(index).search(queries, 20), strict=True):
        np.testing.assert_array_equal(one, other)
    mixed = rng.permutation(5000)
    np.testing.assert_array_equal(Bfloat16Index(index[mixed]).search(queries, 20)[0], whole[0])


def test_numbers_are_rounded_to_the_nearest():
    rng = np.random.default_rng(5)
    rows = np.concatenate([lengths_differ(rng, 30, 8), [[0, -0.0, 1, -1, 2.0**-130, 3e38, -3e38, 1 + 2.0**-9]]]).astype(np.float32)
    bits, lengths, errors = _rounded(kernel_rows(rows))
    narrow = as_float32(bits)
    assert (np.abs(narrow.astype(np.float64) - rows) <= 2.0**-8 * np.abs(rows)).all()
    np.testing.assert_allclose(lengths, np.linalg.norm(rows.astype(np.float64), axis=1), rtol=1e-12)
    np.testing.assert_allclose(errors, np.linalg.norm(rows.astype(np.float64) - narrow, axis=1), rtol=1e-9)


def test_keys_are_ordered_as_the_numbers_are():
    patterns = np.arange(-(2**15), 2**15).astype(np.int16)
    values = as_float32(patterns.view(np.uint16))
    patterns, values = patterns[np.isfinite(values)], values[np.isfinite(values)]
    keys = np.array([_key(pattern) for pattern in patterns])
    assert len(set(keys.tolist())) == len(keys)
    assert (np.diff(values[np.argsort(keys)]) >= 0).all()
    for slack in (1e-30, 1e-3, 0.3):
        some = np.flatnonzero((np.abs(values) < 1e3) & (np.abs(values) > 1e-25) | (values == 0))[::97]
        for key, value in zip(keys[some], values[some], strict=True):
            lowest = np.float64(value) - 2.0**-8 * abs(np.float64(value)) - 2 * slack
            least = as_float32(np.array([_key(np.int16(_least_key(np.int16(key), slack)))], np.int16).view(np.uint16))[0]
            assert least <= lowest and least >= lowest - 2.0**-6 * (abs(value) + 2 * slack) - 1e-38
