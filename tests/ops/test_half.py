import numba
import numpy as np
import pytest

from landmarks.ops.half import dot, float32_value, kernel_rows, to_float16, to_float32


@numba.njit
def widen_all(values):
    result = np.empty(values.shape, np.float32)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            result[row, column] = float32_value(values[row, column])
    return result


def test_every_finite_float16_is_read_exactly():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].reshape(1, -1)
    np.testing.assert_array_equal(widen_all(kernel_rows(every)), every.astype(np.float32))


def test_other_numbers_pass_as_float32_and_float16_is_not_copied():
    rows = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(widen_all(kernel_rows(rows)), rows.astype(np.float32))
    half = rows.astype(np.float16)
    assert np.shares_memory(kernel_rows(half), half)
    with pytest.raises(ValueError, match="vectors must be"):
        kernel_rows(np.zeros(3, np.float16))


def test_whole_matrices_are_converted_as_numpy_converts_them():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    every = np.sort(every[np.isfinite(every)])
    np.testing.assert_array_equal(to_float32(every[None]).view(np.uint32), every[None].astype(np.float32).view(np.uint32))
    exact = every.astype(np.float32)
    between = (exact[1:] + exact[:-1]) / 2  # equally near to both, which a float32 holds exactly
    numbers = np.concatenate([exact, between, [65519.996, 65520, 1e30, -1e30, 1e-40, 0, -0.0]]).astype(np.float32)
    numbers = np.concatenate([numbers, np.nextafter(numbers, np.float32(np.inf)), np.nextafter(numbers, np.float32(-np.inf))])
    drawn = np.random.default_rng(2).integers(0, 1 << 32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    for values in (numbers, drawn[np.isfinite(drawn)]):
        with np.errstate(over="ignore"):
            expected = values[None].astype(np.float16)
        np.testing.assert_array_equal(to_float16(values[None]).view(np.uint16), expected.view(np.uint16))


def test_conversions_take_any_layout_and_write_into_out():
    rows = np.random.default_rng(3).standard_normal((6, 8))
    half, single = np.zeros((4, 4), np.float16), np.zeros((4, 4), np.float32)
    assert to_float16(rows[::2, ::2], half[:3]).base is half and (half[:3] == rows[::2, ::2].astype(np.float16)).all() and not half[3].any()
    to_float32(half.T, single)
    np.testing.assert_array_equal(single, half.T)
    np.testing.assert_array_equal(to_float32(rows), rows.astype(np.float32))
    assert to_float16(rows[:0]).shape == to_float32(half[:0, :0].reshape(0, 8)).shape == (0, 8)


def test_dot_on_either_kind():
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, 33)).astype(np.float16), rng.standard_normal((3, 33)).astype(np.float32)
    expected = sum(float(a) * float(b) for a, b in zip(one[1], other[2], strict=True))
    assert dot(kernel_rows(one)[1], kernel_rows(other)[2]) == pytest.approx(expected, abs=1e-5)
    expected = sum(float(a) * float(b) for a, b in zip(one[0], one[1], strict=True))
    assert dot(kernel_rows(one)[0], kernel_rows(one)[1]) == pytest.approx(expected, abs=1e-5), "both float16"
