import importlib.util

import pytest
import torch
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.errors import UserError
from landmarks.stages.train import train
from landmarks.training import tracking
from landmarks.training.tracking import Tracking, require_tracker

KINDS = ("tensorboard", "wandb")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("toy"))


class Fake:
    """A tracker that keeps what it is given."""

    made = []

    def __init__(self, *arguments, **options):
        self.arguments, self.options, self.logged, self.finished = arguments, options, [], False
        Fake.made.append(self)

    def start(self):
        pass

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished = True


@pytest.fixture
def fakes(monkeypatch):
    monkeypatch.setattr(Fake, "made", [])
    monkeypatch.setattr("landmarks.stages.train.require_tracker", lambda kind: None)
    for name in ("TensorBoardTracker", "WandBTracker"):
        monkeypatch.setattr(tracking, name, Fake)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return Fake.made


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_package_is_named_with_its_command(monkeypatch, kind, dataset, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *others: None if name in KINDS else find(name, *others))
    with pytest.raises(UserError, match=f"(?s)needs the package {kind}.*pip install {kind}"):
        train(configure(dataset, tmp_path, track=kind))
    assert not (tmp_path / "models").exists()
    require_tracker(None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_the_journal_is_tracked_at_its_step_and_resuming_is_exact(dataset, tmp_path, fakes, monkeypatch, kind):
    settings = {"validation_images": 6, "track": kind}
    train(configure(dataset, tmp_path / "whole", **settings))
    (whole,) = fakes
    assert whole.finished and [step for step, _ in whole.logged] == [line["step"] for line in journal(tmp_path / "whole")]
    for (_, values), line in zip(whole.logged, journal(tmp_path / "whole")):
        assert line.items() - {("step", line["step"])} <= values.items()
    config = configure(dataset, tmp_path / "cut", checkpoint_minutes=0, **settings)
    cut_off_at(4, monkeypatch, config)
    train(config)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(one[name], two[name]) for name in one)
    _, before, after = fakes
    drop = ("images_per_second", "waiting_for_images")
    numbers = [
        [(step, {key: v for key, v in values.items() if key not in drop}) for step, values in made]
        for made in (whole.logged, before.logged + after.logged)
    ]
    assert numbers[0] == numbers[1]
    if kind == "tensorboard":
        assert "purge_step" not in before.options and after.options["purge_step"] == 5
    else:
        assert before.options["id"] == after.options["id"] != whole.options["id"] and after.options["resume"] == "allow"


def test_nothing_is_uploaded_unasked(tmp_path, fakes, monkeypatch):
    import os

    Tracking("wandb", tmp_path, "a", {}, 0, True)
    assert os.environ["WANDB_MODE"] == "offline"
    monkeypatch.setenv("WANDB_MODE", "online")
    Tracking("wandb", tmp_path, "a", {}, 0, True)
    assert os.environ["WANDB_MODE"] == "online"


def test_other_processes_track_nothing(tmp_path, fakes):
    quiet = Tracking("wandb", tmp_path, "a", {}, 0, False)
    quiet.log({"step": 1, "loss": 2.0})
    quiet.close()
    assert fakes == []


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_reads_what_was_written(dataset, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(configure(dataset, tmp_path, track="tensorboard"))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "tiny"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in journal(tmp_path)
    ]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
def test_wandb_writes_a_run_without_an_account(dataset, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    train(configure(dataset, tmp_path, track="wandb"))
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
