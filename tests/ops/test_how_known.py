import numpy as np
import pytest

from landmarks.ops.how_known import FEWEST, how_known, learn_log_odds, share_of_known


def numbers(seed=0, known=300, unknown=900):
    random = np.random.default_rng(seed)
    return random.normal(0.8, 0.3, known), random.normal(0.3, 0.2, unknown)


def penalised_likelihood(known, unknown, slope, offset):
    """Both sides count as much, whatever their number; the ridge is on the slope of standardised numbers."""
    both = [np.logaddexp(0, -(slope * known + offset)).mean(), np.logaddexp(0, slope * unknown + offset).mean()]
    mean = (known.mean() + unknown.mean()) / 2
    spread = np.sqrt((((known - mean) ** 2).mean() + ((unknown - mean) ** 2).mean()) / 2)
    return sum(both) / 2 + 0.5e-3 * (slope * spread) ** 2


def test_the_log_odds_are_the_best_line():
    known, unknown = numbers()
    slope, offset = learn_log_odds(known, unknown)
    best = penalised_likelihood(known, unknown, slope, offset)
    for other in (slope + 0.05, offset), (slope - 0.05, offset), (slope, offset + 0.05), (slope, offset - 0.05):
        assert penalised_likelihood(known, unknown, *other) > best


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_the_log_odds_of_a_number_do_not_depend_on_its_scale(scale):
    known, unknown = numbers()
    slope, offset = learn_log_odds(known, unknown)
    np.testing.assert_allclose(learn_log_odds(scale * known, scale * unknown), (slope / scale, offset), rtol=1e-6)


@pytest.mark.parametrize(
    ("known", "unknown"),
    [(np.ones(50), np.zeros(50)), (np.full(50, 0.4), np.full(50, 0.4)), (np.zeros(50), np.ones(50)), (np.zeros(50), np.zeros(50))],
    ids=["apart", "equal", "the other way round", "nothing"],
)
def test_whatever_the_numbers_the_odds_are_finite_and_do_not_fall(known, unknown):
    slope, offset = learn_log_odds(known, unknown)
    assert np.isfinite([slope, offset]).all() and slope >= 0
    for share in (0.05, 0.5, 0.95):
        k = how_known(slope * np.linspace(0, 2, 9) + offset, share)
        assert ((k >= 0) & (k <= 1)).all() and (np.diff(k) >= 0).all()


def test_few_images_say_nothing():
    known, unknown = numbers()
    assert learn_log_odds(known[: FEWEST - 1], unknown) is None and learn_log_odds(known, unknown[: FEWEST - 1]) is None
    assert learn_log_odds(known[:FEWEST], unknown[:FEWEST]) is not None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_known_landmarks_is_found(share):
    slope, offset = learn_log_odds(*numbers())
    known, unknown = numbers(seed=1, known=round(2000 * share), unknown=round(2000 * (1 - share)))
    found = share_of_known(slope * np.concatenate([known, unknown]) + offset)
    assert found == pytest.approx(share, abs=0.05)


def test_of_few_images_the_share_stays_near_one_half():
    assert share_of_known(np.empty(0)) == 0.5
    assert share_of_known(np.array([30.0])) == pytest.approx(6 / 11, abs=1e-3)
    assert 0 < share_of_known(np.full(100_000, -30.0)) < share_of_known(np.full(100_000, 30.0)) < 1


def test_how_known_is_the_square_root_of_the_odds():
    log_odds, share = np.array([-2.0, 0.0, 3.0]), 0.8
    odds = np.exp(log_odds) * share / (1 - share)
    np.testing.assert_allclose(how_known(log_odds, share), np.sqrt(odds) / (1 + np.sqrt(odds)), rtol=1e-6)


def test_equal_sums_say_nothing():
    for count in range(20, 60):
        equal = np.full(count, 0.9, np.float32)
        assert learn_log_odds(equal, np.full(count + 7, 0.9, np.float32)) == (0, 0)
