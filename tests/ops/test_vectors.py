import numpy as np
import pytest

from landmarks.ops.vectors import CACHE_ROWS, are_alike, ensemble, join_rows, l2_normalise, learn_whitening, unusable_rows


def correlated(rng, rows, columns):
    return rng.standard_normal((rows, columns)) @ rng.standard_normal((columns, columns)) + rng.standard_normal(columns)


def test_rows_have_length_one_and_zero_stays_zero():
    rows = l2_normalise(np.array([[3, 4], [0, 0]], np.float16))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert rows.dtype == np.float32


def test_unit_rows_equal_those_in_double_precision():
    rng = np.random.default_rng(5)
    for dtype in (np.float16, np.float32, np.float64, np.int64):
        rows = (9 * rng.standard_normal((40, 33))).astype(dtype)
        exact = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(l2_normalise(rows), exact, atol=1e-7)
    assert l2_normalise(np.empty((0, 3), np.float32)).shape == (0, 3) and l2_normalise(np.empty((2, 0), np.float16)).shape == (2, 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_unusable_rows_are_zero_or_not_finite(dtype):
    rows = np.random.default_rng(7).standard_normal((CACHE_ROWS + 40, 9)).astype(dtype)
    rows[[3, CACHE_ROWS + 7]] = 0
    rows[5] = -0.0
    rows[11, 8], rows[12, 0], rows[CACHE_ROWS + 1, 4], rows[14, 2] = np.nan, np.inf, -np.inf, -np.nan
    rows[20], rows[21], rows[21, 3] = np.finfo(dtype).max, 0, -np.finfo(dtype).smallest_subnormal  # finite, and not zero throughout
    by_definition = [not np.isfinite(row).all() or not (row != 0).any() for row in rows]
    np.testing.assert_array_equal(unusable_rows(rows), by_definition)
    assert np.flatnonzero(by_definition).tolist() == [3, 5, 11, 12, 14, CACHE_ROWS + 1, CACHE_ROWS + 7]
    np.testing.assert_array_equal(unusable_rows(rows[::2, ::-1]), by_definition[::2])
    assert unusable_rows(rows[:, :0]).all() and unusable_rows(rows[:0]).shape == (0,)


def test_joined_rows_stand_side_by_side_at_length_one():
    random = np.random.default_rng(8)
    parts = [random.standard_normal((CACHE_ROWS + 3, 5)).astype(np.float16), random.standard_normal((CACHE_ROWS + 3, 4)).astype(np.float32)]
    parts[0][7], parts[1][7] = 0, 0
    out = np.ones((CACHE_ROWS + 5, 9), np.float16)
    join_rows(parts, out[: CACHE_ROWS + 3])
    np.testing.assert_array_equal(out[:-2], l2_normalise(np.concatenate(parts, axis=1)).astype(np.float16))
    assert (out[-2:] == 1).all() and not out[7].any()


def test_the_whitened_covariance_is_the_identity():
    matrix = correlated(np.random.default_rng(0), 4000, 12).astype(np.float32)
    whitening = learn_whitening(matrix, 7)
    projected = (matrix - whitening.mean) @ whitening.projection
    np.testing.assert_allclose(np.cov(projected.T, bias=True), np.eye(7), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(whitening(matrix), axis=1), 1, rtol=1e-5)


def test_a_power_between_weights_axes_up_less_and_0_only_turns():
    matrix = correlated(np.random.default_rng(0), 4000, 12).astype(np.float32)
    for power in (0.0, 0.3):
        whitening = learn_whitening(matrix, 12, power)
        projected = (matrix - whitening.mean) @ whitening.projection
        variances = np.linalg.eigvalsh(np.cov(matrix.T, bias=True))[::-1]
        np.testing.assert_allclose(np.cov(projected.T, bias=True), np.diag(variances ** (1 - power)), atol=1e-3 * variances[0])
    turned, centred = learn_whitening(matrix, 12, 0.0)(matrix), matrix - matrix.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(turned[:50] @ turned[50:100].T, centred[:50] @ centred[50:100].T, atol=1e-5)


def test_whitening_spans_the_principal_axes():
    matrix = np.random.default_rng(1).standard_normal((3000, 4)) * [1, 10, 2, 0.1]
    projection = learn_whitening(matrix.astype(np.float32), 2).projection
    assert set(np.abs(projection).argmax(axis=0)) == {1, 2}


def test_whitening_keeps_no_more_than_there_is_and_blows_up_no_dead_axis():
    rng = np.random.default_rng(2)
    assert learn_whitening(correlated(rng, 5, 20), 20).projection.shape == (20, 4)
    flat = np.concatenate([rng.standard_normal((100, 3)), np.ones((100, 1))], axis=1)
    assert np.abs(learn_whitening(flat, 4).projection).max() < 10
    with pytest.raises(ValueError, match="two descriptors"):
        learn_whitening(np.ones((1, 4)), 2)


def test_copies_among_the_training_images_do_not_become_axes_of_noise():
    rng = np.random.default_rng(5)
    copies = np.repeat(rng.standard_normal((20, 64)), 3, axis=0).astype(np.float32)
    projection = learn_whitening(copies, 59).projection
    assert projection.shape == (64, 19)
    lengths = np.linalg.norm(projection, axis=0)
    assert lengths.max() < 100 * lengths.min()


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_descriptors_of_any_magnitude_get_length_one(factor):
    rows = np.random.default_rng(6).standard_normal((4, 8))
    np.testing.assert_allclose(l2_normalise(rows * factor), l2_normalise(rows), rtol=1e-6)
    tiny = (rows * 1e-36).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(l2_normalise(tiny), axis=1), 1, rtol=1e-5)


def test_an_ensemble_s_similarity_is_the_mean_of_its_models_weighted_by_the_squares():
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((6, 5)), rng.standard_normal((6, 9)).astype(np.float16)
    similarity = ensemble([one, other], [1.0, 0.5]) @ ensemble([one, other], [1.0, 0.5]).T
    a, b = l2_normalise(one), l2_normalise(other)
    np.testing.assert_allclose(similarity, (a @ a.T + 0.25 * b @ b.T) / 1.25, atol=1e-5)


def test_one_model_s_weight_changes_nothing_and_mismatches_are_refused():
    one = np.random.default_rng(4).standard_normal((3, 4))
    np.testing.assert_allclose(ensemble([one], [0.3]), l2_normalise(one), rtol=1e-5)
    with pytest.raises(ValueError, match="rows"):
        ensemble([one, one[:2]], [1, 1])
    with pytest.raises(ValueError, match="weights"):
        ensemble([one], [1, 1])


def test_rows_are_alike_where_float16_sees_no_difference():
    rng = np.random.default_rng(0)
    row = l2_normalise(rng.standard_normal((1, 512)))
    rows = np.tile(row, (10_000, 1))
    assert are_alike(rows) and are_alike(rows.astype(np.float16)) and are_alike(l2_normalise(rows + 1e-5 * rng.standard_normal(rows.shape)))
    assert are_alike(rows.astype(np.float16).astype(np.float32))
    assert not are_alike(rows[:1]) and not are_alike(rows[:0])
    assert not are_alike(l2_normalise(rows + 1e-3 * rng.standard_normal(rows.shape)))
    rows[7] = -row
    assert not are_alike(rows), "one of ten thousand is another"
    assert not are_alike(l2_normalise(rng.standard_normal((2, 4))))


def test_whitening_of_rows_that_are_alike_is_refused():
    with pytest.raises(ValueError, match="all alike"):
        learn_whitening(np.zeros((5, 3), np.float32), 2)
