import numpy as np
import pytest

from landmarks.training.rate_range import smoothed, suggested_rate

RATES = np.geomspace(1e-6, 1, 200)


def test_the_average_has_no_pull_to_its_start():
    assert smoothed(np.full(5, 3.0)) == pytest.approx(np.full(5, 3.0))
    losses = np.random.default_rng(0).uniform(0, 5, 30)
    for count in (1, 2, 30):  # by the definition: weights 0.9^age, that sum to 1
        weights = 0.9 ** np.arange(count)[::-1]
        assert smoothed(losses)[count - 1] == pytest.approx((weights * losses[:count]).sum() / weights.sum())


def test_a_tenth_of_the_rate_with_the_lowest_loss_is_found():
    """A loss with its lowest at 1e-2; smoothing lags behind it by about nine of 200 steps, a factor of 1.9."""
    losses = 1 + np.log10(RATES / 1e-2) ** 2 + np.random.default_rng(0).normal(0, 0.1, 200)
    assert 1e-3 <= suggested_rate(RATES, losses) <= 3e-3


def test_a_loss_that_never_falls_suggests_nothing():
    assert suggested_rate(RATES, np.linspace(1, 2, 200)) is None
    assert suggested_rate(RATES[:0], np.empty(0)) is None
    constant = 2.3 + 1e-6 * np.random.default_rng(0).standard_normal(200)
    assert suggested_rate(RATES, constant) is None, "rounding is no fall"


def test_losses_that_are_no_numbers_are_left_out():
    falls = 5 / (1 + np.exp(3 * np.log(RATES / 1e-3)))
    losses = np.append(falls[:150], np.nan)
    assert suggested_rate(RATES[:151], losses) == suggested_rate(RATES[:150], falls[:150])
