import pytest

from landmarks.config import TrainSettings
from landmarks.training.schedule import learning_rate

SETTINGS = TrainSettings(learning_rate=1.0, final_learning_rate=0.1, warmup=0.2)


def test_rises_then_falls_to_the_final_rate():
    rates = [learning_rate(step, 20, SETTINGS) for step in range(20)]
    assert rates[:5] == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1])
    assert rates[-1] == pytest.approx(0.1)
    assert all(before > after for before, after in zip(rates[4:], rates[5:]))


def test_the_middle_of_the_cosine_is_the_mean():
    assert learning_rate(5, 11, SETTINGS.model_copy(update={"warmup": 0.0})) == pytest.approx(0.55)


def test_a_single_step_runs_at_the_highest_rate():
    assert learning_rate(0, 1, SETTINGS) == 1.0


def test_the_line_is_straight():
    settings = SETTINGS.model_copy(update={"schedule": "linear"})
    rates = [learning_rate(step, 14, settings) for step in range(3, 14)]
    assert rates == pytest.approx([1 - 0.09 * step for step in range(11)])


def test_the_rate_follows_the_size_of_the_batch_when_asked():
    settings = TrainSettings(learning_rate=0.1, final_learning_rate=0.0, batch_size=256)
    assert learning_rate(0, 10, settings) == pytest.approx(0.1)
    scaled = settings.model_copy(update={"scale_rate": 32})
    assert [learning_rate(step, 10, scaled) for step in range(10)] == pytest.approx(
        [8 * learning_rate(step, 10, settings) for step in range(10)]
    )
    warm = scaled.model_copy(update={"warmup": 0.5})
    assert learning_rate(0, 10, warm) == pytest.approx(0.8 / 5) and max(learning_rate(step, 10, warm) for step in range(10)) == 0.8
