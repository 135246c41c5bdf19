"""The loop by its files; resuming, several processes and learning itself are tested with the stage (stages/test_train.py)."""

import cv2
import numpy as np
import pytest
import torch
from accelerate import Accelerator

from landmarks.config import ModelSettings, TrainSettings
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.training import frozen_norms, loop, memory
from landmarks.training.journal import read_lines
from landmarks.training.learner import create_learner
from landmarks.training.loop import run_training
from landmarks.training.resume import RESUME

IDS = np.array([f"a{n}bc" for n in range(8)], object)
MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)


@pytest.fixture
def run(tmp_path):
    """Trains on eight photos of two landmarks: two steps an epoch."""
    for number, id in enumerate(IDS):
        path = image_path(tmp_path, "train", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8))

    def train(**settings):
        settings = TrainSettings(image_size=32, batch_size=4, augmentation="none", **{"workers": 0, **settings})
        train_set = TrainSet(tmp_path, IDS, np.arange(8) % 2, settings)
        return run_training("m", tmp_path, create_learner("m", MODEL, settings, 2), train_set, settings, Accelerator(cpu=True))

    return train


def test_lines_come_every_few_steps_and_at_the_last(run, tmp_path):
    last = run(epochs=4, log_steps=3, warmup=0.5)
    lines = read_lines(tmp_path)
    assert [line["step"] for line in lines] == [3, 6, 8] and lines[-1] == last
    assert [line["epoch"] for line in lines] == [1.5, 3, 4]
    assert set(last) == {"step", "epoch", "loss", "accuracy", "gradient_norm", "learning_rate", "images_per_second", "waiting_for_images"}
    assert last["learning_rate"] == pytest.approx(TrainSettings().final_learning_rate)
    assert not (tmp_path / RESUME).exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, True),
        ({"freeze_batchnorm": False}, True),
        ({"freeze_batchnorm": True}, False),
        ({"freeze_batchnorm": (True, False), "epochs": 2}, False),
        ({"freeze_backbone_steps": 1}, False),
    ],
)
def test_few_images_for_batchnorm_are_said(run, capsys, settings, said):
    run(**{"epochs": 1, **settings})
    assert ("its statistics from 4 images at a time" in capsys.readouterr().out) == said


def test_enough_images_for_batchnorm_are_not(run, capsys, monkeypatch):
    monkeypatch.setattr(frozen_norms, "FEW_IMAGES", 4)
    run(epochs=1)
    assert "BatchNorm" not in capsys.readouterr().out


def test_running_out_of_memory_later_names_the_setting_and_the_next_run_begins_with_more_parts(run, tmp_path, monkeypatch):
    step, calls = loop.one_step, []

    def out_at_the_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(*arguments)

    monkeypatch.setattr(loop, "one_step", out_at_the_third)
    with pytest.raises(UserError, match=r"(?s)memory is not enough.*step 3, train.accumulate=1.*continues with a batch in 2 parts"):
        run(epochs=2, checkpoint_minutes=0)
    monkeypatch.setattr(memory, "may_run_out", lambda device: True)
    run(epochs=2)
    assert [arguments[3].parts for arguments in calls] == [1] * 3 + [2] * 2
    calls.clear()
    with pytest.raises(UserError, match=r"train.accumulate=2, with run.overwrite=true"):
        run(epochs=4, accumulate=1)


def test_checkpoints_are_written_after_every_step_but_the_last_if_so_configured(run, tmp_path, monkeypatch):
    steps, write = [], loop.write_resume
    monkeypatch.setattr(loop, "write_resume", lambda folder, step, *others: steps.append(step) or write(folder, step, *others))
    run(epochs=2, checkpoint_minutes=0)
    assert steps == [1, 2, 3] and (tmp_path / RESUME).exists()


def test_a_second_run_repeats_only_the_steps_after_the_checkpoint(run, tmp_path, capsys):
    run(epochs=2, checkpoint_minutes=0, log_steps=1)
    run(epochs=2, checkpoint_minutes=0, log_steps=1)
    assert "train m: continues after step 3 of 4" in capsys.readouterr().out
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 2, 3, 4]


def test_gradients_can_be_left_as_long_as_they_are(run):
    """Without clipping the steps are those of a limit that none reaches, and the norm is still measured."""
    never, far, near = (run(epochs=2, clip_norm=limit, learning_rate=0.1) for limit in (None, 1e30, 0.01))
    assert never["loss"] == far["loss"] != near["loss"] and never["gradient_norm"] == far["gradient_norm"] > 0.1
