import numba
import numpy as np
import pytest

from landmarks.ops.half import dot, readable, widened


@numba.njit
def widen_all(values):
    result = np.empty(values.shape, np.float32)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            result[row, column] = widened(values[row, column])
    return result


def test_every_finite_float16_is_read_exactly():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].reshape(1, -1)
    np.testing.assert_array_equal(widen_all(readable(every)), every.astype(np.float32))


def test_other_numbers_pass_as_float32_and_float16_is_not_copied():
    rows = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(widen_all(readable(rows)), rows.astype(np.float32))
    half = rows.astype(np.float16)
    assert np.shares_memory(readable(half), half)
    with pytest.raises(ValueError, match="vectors must be"):
        readable(np.zeros(3, np.float16))


def test_dot_on_either_kind():
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, 33)).astype(np.float16), rng.standard_normal((3, 33)).astype(np.float32)
    expected = sum(float(a) * float(b) for a, b in zip(one[1], other[2], strict=True))
    assert dot(readable(one)[1], readable(other)[2]) == pytest.approx(expected, abs=1e-5)
    expected = sum(float(a) * float(b) for a, b in zip(one[0], one[1], strict=True))
    assert dot(readable(one)[0], readable(one)[1]) == pytest.approx(expected, abs=1e-5), "both float16"
