import json

import pytest
from accelerate import Accelerator
from torch.nn.modules.batchnorm import _BatchNorm
from toy_training import configure, make_photos

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.stages.find_lr import find_lr
from landmarks.stages.train import train
from landmarks.training import learner
from landmarks.training.decided import DECIDED, keep_decided, read_decided
from landmarks.training.frozen_norms import choose_frozen_norms, keeps_statistics
from landmarks.training.learner import create_learner

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)
NO_NORMS = ModelSettings(backbone="test_vit", pretrained=False, dimensions=8)
UNSET = TrainSettings(image_size=32)


def learner_of(model=MODEL, settings=UNSET, begins_trained=True):
    made = create_learner("m", model, settings, classes=2)
    made.begins_trained = begins_trained
    return made


@pytest.mark.parametrize(
    ("asked", "begins_trained", "model", "counted", "kept"),
    [
        (None, True, MODEL, 15, True),
        (None, True, MODEL, 16, False),
        (None, False, MODEL, 4, False),  # statistics that nobody learned
        (None, True, NO_NORMS, 4, False),
        (True, True, MODEL, 4, False),  # what is asked for is not decided
        (False, True, MODEL, 4, False),
        ((True, False), True, MODEL, 4, False),
    ],
)
def test_statistics_of_trained_weights_stay_where_new_ones_would_come_from_few_images(asked, begins_trained, model, counted, kept):
    settings = TrainSettings(image_size=32, freeze_batchnorm=asked)
    assert keeps_statistics(settings, learner_of(model, settings, begins_trained), counted) == kept


def in_training(learner):
    learner.enter(0, 0)
    return {module.training for module in learner.model.backbone.modules() if isinstance(module, _BatchNorm)}


@pytest.mark.parametrize(("counted", "frozen"), [(8, True), (32, False)])
def test_what_is_decided_holds_for_the_learner_and_for_whoever_resumes_it(tmp_path, capsys, counted, frozen):
    found = learner_of()
    settings = choose_frozen_norms("m", tmp_path, found, UNSET, counted, Accelerator(cpu=True))
    assert settings.freeze_batchnorm is frozen and in_training(found) == {not frozen}
    assert read_decided(tmp_path) == {"freeze_batchnorm": frozen}
    assert ("new ones would come from 8 images at a time" in capsys.readouterr().out) == frozen
    again = learner_of()
    settings = choose_frozen_norms("m", tmp_path, again, UNSET, 40 - counted, Accelerator(cpu=True))
    assert settings.freeze_batchnorm is frozen and in_training(again) == {not frozen}, "with another number of GPUs"
    assert ("as this training began" in capsys.readouterr().out) == frozen


@pytest.mark.parametrize("asked", [True, False, (False, True)])
def test_what_is_asked_for_is_left_alone(tmp_path, capsys, asked):
    settings = TrainSettings(image_size=32, freeze_batchnorm=asked, epochs=2)
    assert choose_frozen_norms("m", tmp_path, learner_of(settings=settings), settings, 2, Accelerator(cpu=True)) is settings
    assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""


def test_a_backbone_without_them_has_nothing_to_decide(tmp_path, capsys):
    assert not choose_frozen_norms("m", tmp_path, learner_of(NO_NORMS), UNSET, 2, Accelerator(cpu=True)).freeze_batchnorm
    assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""


def test_decisions_are_kept_beside_each_other(tmp_path):
    keep_decided(tmp_path, "freeze_batchnorm", True)
    keep_decided(tmp_path, "shrunk", False)
    assert read_decided(tmp_path) == {"freeze_batchnorm": True, "shrunk": False}
    (tmp_path / DECIDED).write_text('{"shrunk": 1}')
    with pytest.raises(UserError, match="(?s)not what a training decided.*decided.json.*delete it"):
        read_decided(tmp_path)


@pytest.fixture
def dataset(tmp_path):
    return make_photos(tmp_path / "data")


def manifest_of(folder):
    return json.loads((folder / "models/tiny/manifest.json").read_text())


@pytest.fixture
def pretrained(monkeypatch):
    """The tiny model's random weights count as trained ones."""
    made = learner.Learner.__init__

    def trained(self, *arguments):
        made(self, *arguments)
        self.begins_trained = True

    monkeypatch.setattr(learner.Learner, "__init__", trained)


def test_the_manifest_says_it_and_the_statistics_of_the_start_are_those_of_the_end(dataset, tmp_path, pretrained, capsys):
    few = configure(dataset, tmp_path / "run")
    (folder,) = train(few)
    assert manifest_of(tmp_path / "run")["decided"] == {"freeze_batchnorm": True}
    assert "from 12 images at a time (train.freeze_batchnorm=false learns them)" in capsys.readouterr().out
    assert not (folder / DECIDED).exists()
    train(configure(dataset, tmp_path / "run"))
    assert "up to date" in capsys.readouterr().out
    enough = configure(dataset, tmp_path / "enough", batch_size=16)
    train(enough)
    assert manifest_of(tmp_path / "enough")["decided"] == {"freeze_batchnorm": False}


def test_the_rate_is_searched_for_with_the_same_statistics(dataset, tmp_path, pretrained, monkeypatch):
    states, forward = [], learner.Learner.forward
    monkeypatch.setattr(learner.Learner, "forward", lambda self, *rest: states.append(self.trains_statistics()) or forward(self, *rest))
    for size, trains in ((12, False), (16, True)):
        states.clear()
        find_lr(configure(dataset, tmp_path / "run", batch_size=size), steps=5, lowest=1e-6, highest=1e-5)
        assert set(states) == {trains}


@pytest.mark.parametrize("finished", [True, False])
def test_what_an_earlier_version_made_or_began_stays_so(dataset, tmp_path, pretrained, capsys, monkeypatch, finished):
    """Where `false` was the default, which its recipe lists."""
    run, earlier = tmp_path / "run", configure(dataset, tmp_path / "run", freeze_batchnorm=False, checkpoint_minutes=0)
    if finished:
        train(earlier)
    else:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("landmarks.training.loop.append_line", interrupt)
            train(earlier)
    capsys.readouterr()
    train(configure(dataset, run, checkpoint_minutes=0))
    said = capsys.readouterr().out
    assert ("up to date" in said) == finished and "keeps the statistics" not in said
    made = manifest_of(run)
    assert made["settings"]["train"]["freeze_batchnorm"] is False and "decided" not in made


def interrupt(folder, line):
    raise KeyboardInterrupt


def test_what_was_decided_is_not_what_was_asked_for(dataset, tmp_path, pretrained):
    train(configure(dataset, tmp_path / "run"))
    with pytest.raises(UserError, match="made with other settings: settings.train.freeze_batchnorm None -> False"):
        train(configure(dataset, tmp_path / "run", freeze_batchnorm=False))
