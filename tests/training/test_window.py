from types import SimpleNamespace

import pytest
import torch

from landmarks.config import TrainSettings
from landmarks.errors import UserError
from landmarks.training.window import Window, listed


def window(first=10, scaler=None, reduce=lambda tensor, how: tensor):
    accelerator = SimpleNamespace(scaler=scaler, reduce=reduce, process_index=1, num_processes=3)
    return Window(
        TrainSettings(learning_rate=0.5), accelerator, first, lambda step, processes: [f"{step}{'abc'[one]}" for one in processes]
    )


def numbers(loss, gradient_norm=1.0, **others):
    return {name: torch.tensor(value) for name, value in {"loss": loss, "gradient_norm": gradient_norm, **others}.items()}


def test_closing_gives_the_means_and_starts_after_the_closed_steps():
    steps = window()
    for loss in (1.0, 2.0, 6.0):
        steps.add(numbers(loss, accuracy=loss / 8))
    assert steps.close() == pytest.approx({"loss": 3, "gradient_norm": 1, "accuracy": 3 / 8})
    assert steps.first == 13
    steps.add(numbers(5.0))
    assert steps.close()["loss"] == 5 and steps.first == 14


def test_the_means_are_those_of_all_processes():
    steps = window(reduce=lambda tensor, how: tensor / 2 if how == "mean" else None)
    steps.add(numbers(4.0))
    assert steps.close() == {"loss": 2, "gradient_norm": 0.5}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"loss": float("nan")}, "loss of step 12 is nan, at the images 11b"),
        ({"loss": 1.0, "gradient_norm": float("inf")}, "gradient of step 12 is inf, at the images 11a, 11b, 11c"),
        ({"loss": float("inf"), "gradient_norm": float("nan")}, "loss of step 12 is inf, at the images 11b"),
    ],
)
def test_the_first_step_that_is_not_finite_is_named_with_its_images(bad, message):
    """Those of this process for its own loss; the gradient is that of all."""
    steps = window()
    steps.require_finite()
    for step in (numbers(1.0), numbers(**bad), numbers(float("nan"))):
        steps.add(step)
    for check in (steps.require_finite, steps.close):
        with pytest.raises(UserError, match=f"(?s){message}\n.*learning_rate=0.5"):
            check()


def test_infinite_gradients_are_normal_with_a_gradient_scaler():
    steps = window(scaler=object())
    steps.add(numbers(1.0, float("inf")))
    steps.require_finite()
    steps.add(numbers(float("nan"), 1.0))
    with pytest.raises(UserError, match="loss of step 12") as raised:
        steps.require_finite()
    assert raised.value.next.startswith("train.on_nonfinite=skip") and "or train.precision=float32" in raised.value.next


def test_steps_that_the_scaler_left_out_are_counted():
    steps = window(scaler=object())
    for norm in (float("inf"), 2.0, float("nan"), 4.0):
        steps.add(numbers(1.0, norm))
    assert steps.close() == {"loss": 1, "gradient_norm": 3, "overflows": 2}
    steps.add(numbers(1.0, float("inf")))
    assert steps.close() == {"loss": 1, "gradient_norm": 0, "overflows": 1}


def test_steps_that_were_left_out_have_no_numbers_but_a_place():
    steps = window()
    for step in (numbers(1.0), None, numbers(3.0), None):
        steps.add(step)
    assert steps.close()["loss"] == 2 and steps.first == 14
    steps.add(None)
    assert steps.close() == {} and steps.first == 15
    for step in (None, numbers(float("nan"))):
        steps.add(step)
    with pytest.raises(UserError, match="loss of step 17 is nan, at the images 16b\n"):
        steps.require_finite()


def test_a_large_batch_is_listed_in_part():
    assert listed(["a", "b", "c"]) == "a, b, c" and listed([str(n) for n in range(40)]).endswith("30, 31 and 8 more")
