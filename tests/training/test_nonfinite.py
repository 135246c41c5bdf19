"""Losses that are no finite numbers: their images are named, and training goes on from the last checkpoint without them."""

import json

import pytest
import torch
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.errors import UserError
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
