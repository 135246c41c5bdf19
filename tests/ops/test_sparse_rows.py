import numpy as np

from landmarks.ops.sparse_rows import SparseRows, mean_rows, overlaps


def sparse(dense):
    filled = [np.flatnonzero(row) for row in dense]
    starts = np.cumsum([0] + [len(row) for row in filled]).astype(np.int64)
    parts = [row[columns] for row, columns in zip(dense, filled, strict=True)]
    return SparseRows(starts, np.concatenate([*filled, []]).astype(np.int32), np.concatenate([*parts, []]).astype(np.float32))


def dense(rows, columns):
    result = np.zeros((len(rows.starts) - 1, columns))
    for row in range(len(result)):
        part = slice(rows.starts[row], rows.starts[row + 1])
        assert len(set(rows.images[part].tolist())) == len(rows.images[part])
        result[row, rows.images[part]] = rows.weights[part]
    return result


def random_rows(rng, rows, columns):
    return np.where(rng.random((rows, columns)) < 0.3, rng.random((rows, columns)), 0)


def test_means_equal_those_of_dense_rows():
    rng = np.random.default_rng(0)
    own, others = random_rows(rng, 9, 30), random_rows(rng, 30, 30)
    own[2] = others[7] = 0
    lists = np.stack([rng.permutation(30)[:4] for _ in range(9)]).astype(np.int32)
    for row, kept in enumerate(rng.integers(0, 5, 9)):
        lists[row, kept:] = -1
    lists[3] = [7, 5, 6, -1]
    expected = [np.mean([own[row]] + [others[image] for image in lists[row] if image >= 0], axis=0) for row in range(9)]
    np.testing.assert_allclose(dense(mean_rows(sparse(own), sparse(others), lists), 30), expected, atol=1e-6)
    np.testing.assert_allclose(dense(mean_rows(sparse(own), sparse(others), lists[:, :0]), 30), own, atol=1e-6)


def test_overlaps_equal_those_of_dense_rows():
    rng = np.random.default_rng(1)
    queries, index = random_rows(rng, 8, 20), random_rows(rng, 20, 20)
    indices = np.stack([rng.permutation(20)[:6] for _ in range(8)]).astype(np.int32)
    indices[1, 2:], indices[2] = -1, -1
    expected = [[np.minimum(queries[row], index[i]).sum() if i >= 0 else 0 for i in indices[row]] for row in range(8)]
    np.testing.assert_allclose(overlaps(indices, sparse(queries), sparse(index)), expected, atol=1e-6)


def test_no_rows():
    none, index = sparse(np.zeros((0, 5))), sparse(np.eye(5))
    assert mean_rows(none, index, np.empty((0, 2), np.int32)).starts.tolist() == [0]
    assert overlaps(np.empty((0, 3), np.int32), none, index).shape == (0, 3)
    assert overlaps(np.full((1, 2), -1, np.int32), sparse(np.zeros((1, 0))), none).tolist() == [[0, 0]]
