import numpy as np

from landmarks.ops.local_features import quantise


def test_a_row_worked_by_hand():
    rows, factors = quantise(np.array([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0]]))
    assert rows.dtype == np.int8 and factors.dtype == np.float32
    assert rows.tolist() == [[64, -127, 32], [0, 0, 0]]  # 63.5 goes to the even 64
    assert factors.tolist() == [np.float32(1 / 127), 0]


def test_the_way_back_is_within_half_a_factor():
    descriptors = np.random.default_rng(0).normal(size=(500, 128)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    rows, factors = quantise(descriptors)
    error = np.abs(rows * factors[:, None] - descriptors)
    assert np.all(error <= 0.5001 * factors[:, None])
    assert np.all(np.abs(rows).max(axis=1) == 127)


def test_float16_and_no_rows_at_all():
    rows, factors = quantise(np.array([[1.0, -0.5]], np.float16))
    assert rows.tolist() == [[127, -64]] and factors.tolist() == [np.float32(1 / 127)]
    assert [array.shape for array in quantise(np.empty((0, 8), np.float32))] == [(0, 8), (0,)]
