"""Losses that are no finite numbers: their images are named, and training goes on from the last checkpoint without them."""

import json

import pytest
import torch
from accelerate import Accelerator
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.data.sampler import TrainingOrder
from landmarks.errors import UserError
from landmarks.stages import train as train_stage
from landmarks.stages.train import train
from landmarks.training import learner
from landmarks.training.resume import RESUME


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def fifth_is_nan(monkeypatch):
    """The images of the fifth step, of eight, give descriptors that are no numbers: a list that their labels are added to."""
    forward, broken, calls = learner.Learner.forward, [], []

    def forward_or_nan(self, images, *others):
        calls.append(images)
        if broken and torch.equal(images, broken[0]) or (not broken and len(calls) == 5):
            broken[:] = [images]
            with torch.no_grad():
                self.model.head[1].running_mean.fill_(float("nan"))  # as their activations would do
            return {name: number * float("nan") for name, number in forward(self, images, *others).items()}
        return forward(self, images, *others)

    monkeypatch.setattr(learner.Learner, "forward", forward_or_nan)
    return broken


def test_the_images_are_named_and_training_goes_on_without_them(dataset, tmp_path, fifth_is_nan, capsys):
    settings = {"checkpoint_minutes": 0, "ema": 0.5}
    with pytest.raises(UserError, match=r"the loss of step 5 is nan, at the images (\w+, ){11}\w+\n") as raised:
        train(configure(dataset, tmp_path, **settings))
    assert raised.value.next.startswith("train.on_nonfinite=skip, which goes on from the last checkpoint")
    named = raised.value.what.partition("at the images ")[2].split(", ")
    (model,) = train(configure(dataset, tmp_path, on_nonfinite="skip", **settings))
    said = capsys.readouterr().out
    assert "continues after step 4 of 8" in said and "train tiny: step 5 left out" in said
    (left_out,) = [line for line in journal(tmp_path) if "left_out" in line]
    assert left_out == {"step": 5, "left_out": named}
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())
    assert [line["step"] for line in journal(tmp_path) if "loss" in line] == [1, 2, 3, 4, 6, 7, 8]
    assert not (model / RESUME).exists() and json.loads((model / "manifest.json").read_text())["step"] == 8


def test_a_run_that_leaves_steps_out_is_resumed_exactly(dataset, tmp_path, fifth_is_nan, monkeypatch):
    train(configure(dataset, tmp_path / "whole", on_nonfinite="skip"))
    config = configure(dataset, tmp_path / "cut", on_nonfinite="skip", checkpoint_minutes=0)
    cut_off_at(6, monkeypatch, config)
    train(config)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole) and journal(tmp_path / "whole") == journal(tmp_path / "cut")


def test_weights_that_are_no_numbers_stop_it(dataset, tmp_path):
    with pytest.raises(UserError, match="(?s)10 steps in a row.*lower it"):
        train(configure(dataset, tmp_path, learning_rate=1e30, clip_norm=1e30, epochs=4, on_nonfinite="skip"))


@pytest.fixture
def scaled(monkeypatch):
    """Train in float32 under float16's gradient scaler, whose scale begins so high that some gradients overflow; the scaler."""
    scaler, start = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1000), train_stage.start_accelerator

    def start_with_scaler(*arguments, **options):
        accelerator = start(*arguments, **options)
        accelerator.scaler, accelerator.native_amp = scaler, True
        monkeypatch.setattr(Accelerator, "mixed_precision", property(lambda self: "fp16"))  # it unscales gradients then
        return accelerator

    monkeypatch.setattr(train_stage, "start_accelerator", start_with_scaler)
    return scaler


def test_gradients_that_exceed_the_scale_of_float16_are_counted_and_name_no_image(dataset, tmp_path, scaled):
    train(configure(dataset, tmp_path, on_nonfinite="skip"))
    lines = journal(tmp_path)
    overflows = [line["overflows"] for line in lines]
    assert overflows[0] == 1 and overflows[-1] == 0 and not any("left_out" in line for line in lines)
    assert scaled.get_scale() == 2.0 ** (127 - sum(overflows))
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())


def test_with_a_scaler_the_images_of_a_loss_that_is_no_number_are_left_out(dataset, tmp_path, scaled, fifth_is_nan, capsys):
    with pytest.raises(UserError, match=r"the loss of step 5 is nan, at the images (\w+, ){11}\w+\n"):
        train(configure(dataset, tmp_path, checkpoint_minutes=0))
    train(configure(dataset, tmp_path, on_nonfinite="skip", checkpoint_minutes=0))
    assert "continues after step 4 of 8" in capsys.readouterr().out
    (left_out,) = [line for line in journal(tmp_path) if "left_out" in line]
    assert left_out["step"] == 5 and len(left_out["left_out"]) == 12
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())  # the statistics of BatchNorm too
    assert [line["step"] for line in journal(tmp_path) if "loss" in line] == [1, 2, 3, 4, 6, 7, 8]


def test_all_processes_leave_out_the_step_of_which_one_has_a_broken_loss(dataset, tmp_path, scaled, monkeypatch):
    """The other process's loss is what `gather` adds; its gradient has reached this one, whose own loss is fine."""
    forward, calls = learner.Learner.forward, []

    def forward_or_inf(self, images, *others):
        calls.append(images)
        numbers = forward(self, images, *others)
        if len(calls) == 5:
            numbers["loss"].register_hook(lambda gradient: gradient * float("inf"))
        return numbers

    named, other = [], torch.tensor([float("nan")])
    monkeypatch.setattr(learner.Learner, "forward", forward_or_inf)
    monkeypatch.setattr(Accelerator, "gather", lambda self, tensor: torch.cat([tensor, other]))
    monkeypatch.setattr(TrainingOrder, "rows_of", lambda self, step, processes: named.append((step, processes)) or [0])
    scaled.load_state_dict(scaled.state_dict() | {"scale": 1024.0})
    train(configure(dataset, tmp_path, on_nonfinite="skip"))
    (left_out,) = [line for line in journal(tmp_path) if "left_out" in line]
    assert left_out["step"] == 5 and all(line["overflows"] == 0 for line in journal(tmp_path) if "loss" in line)
    assert named == [(4, [1])]  # the images of the other process
