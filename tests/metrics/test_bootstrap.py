"""The interval against resamples drawn and averaged one by one, against all resamples there are, and against theory."""

from itertools import product

import numpy as np
import pytest

from landmarks.metrics import bootstrap
from landmarks.metrics.bootstrap import mean_interval


def one_by_one(differences, samples, seed, level):
    """The same draws, each gathered and averaged by itself."""
    n, columns = differences.shape
    rng = np.random.default_rng(seed)
    means = [[] for _ in range(columns)]
    for _ in range(samples):
        rows = [int(row) for row in rng.integers(n, size=n)]
        for column in range(columns):
            means[column].append(sum(differences[row, column] for row in rows) / n)
    return np.array(
        [[np.quantile(column, (1 - level) / 2) for column in means], [np.quantile(column, (1 + level) / 2) for column in means]]
    )


@pytest.mark.parametrize("together", [1, 100, 4_000_000])
def test_it_equals_resamples_taken_one_by_one_however_many_are_counted_together(monkeypatch, together):
    monkeypatch.setattr(bootstrap, "COUNTS_IN_MEMORY", together)
    differences = np.random.default_rng(1).normal(0.2, 1, (37, 3))
    np.testing.assert_allclose(mean_interval(differences, 200, 5, 0.9), one_by_one(differences, 200, 5, 0.9), rtol=1e-12)


def test_it_approaches_the_interval_of_all_resamples():
    values = np.array([0.0, 1.0, 2.0, 7.0, 11.0])
    every = [np.mean(drawn) for drawn in product(values, repeat=5)]  # 5^5, each as likely as the other
    interval = mean_interval(values[:, None], 40_000, 0, 0.8)[:, 0]
    for end, share in zip(interval, (0.1, 0.9), strict=True):
        assert np.mean(np.array(every) < end - 1e-9) <= share + 0.01 and np.mean(np.array(every) <= end + 1e-9) >= share - 0.01


def test_many_queries_give_the_normal_interval():
    differences = np.random.default_rng(0).exponential(1, (3000, 1))
    half = 1.96 * differences.std() / np.sqrt(3000)
    np.testing.assert_allclose(mean_interval(differences)[:, 0], differences.mean() + np.array([-half, half]), atol=0.1 * half)


def test_a_constant_change_is_certain_and_a_column_is_its_own():
    differences = np.column_stack([np.full(9, 0.25), np.zeros(9), np.arange(9.0)])
    low, high = mean_interval(differences, 500)
    assert low[0] == high[0] == 0.25 and low[1] == high[1] == 0 and low[2] < 4 < high[2]
    np.testing.assert_array_equal(mean_interval(differences[:, 2:], 500)[:, 0], [low[2], high[2]])


def test_the_seed_decides_and_other_seeds_agree_roughly():
    differences = np.random.default_rng(3).normal(size=(50, 1))
    first, second = mean_interval(differences, 300, seed=1), mean_interval(differences, 300, seed=2)
    np.testing.assert_array_equal(first, mean_interval(differences, 300, seed=1))
    assert (first != second).all()
    np.testing.assert_allclose(first, second, atol=0.15)


def test_one_query_has_one_answer_and_none_has_none():
    assert mean_interval(np.array([[3.0, -1.0]]), 10).tolist() == [[3, -1], [3, -1]]
    assert np.isnan(mean_interval(np.empty((0, 2)))).all() and mean_interval(np.empty((0, 2))).shape == (2, 2)
    assert mean_interval(np.empty((4, 0)), 10).shape == (2, 0)
