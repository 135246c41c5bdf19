"""Training that starts from another training's weights."""

import shutil

import pytest
import torch
from toy_training import configure, cut_off_at, journal, make_photos, weights

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages.train import train
from landmarks.training.kept_classifier import CLASSIFIER


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A dataset with a second table of fewer landmarks, and the folder of a model that was trained on that."""
    folder = tmp_path_factory.mktemp("staged")
    dataset = make_photos(folder / "data")
    rows = (dataset / "train.csv").read_text().splitlines()
    few = sorted({row.split(",")[1] for row in rows[1:]})[:4]
    (dataset / "few.csv").write_text("\n".join([rows[0], *(row for row in rows[1:] if row.split(",")[1] in few)]) + "\n")
    config = configure(dataset, folder / "first", epochs=6, keep_classifier=True)
    (model,) = train(config.model_copy(update={"dataset": config.dataset.model_copy(update={"train_table": "few.csv"})}))
    return dataset, model


def test_a_second_training_goes_on_where_the_first_ended(first, tmp_path, capsys):
    dataset, model = first
    train(configure(dataset, tmp_path / "second", epochs=1, start_from=str(model)))
    assert f"starts from {model}: " in (said := capsys.readouterr().out) and "the classes of 4 of 6 landmarks" in said
    train(configure(dataset, tmp_path / "fresh", epochs=1))
    losses = [journal(tmp_path / name)[0]["loss"] for name in ("second", "fresh")]
    assert losses[0] < 0.7 * losses[1]
    assert not (tmp_path / "second" / "models" / "tiny" / CLASSIFIER).exists()


def test_other_weights_make_it_again_and_the_same_elsewhere_do_not(first, tmp_path, capsys):
    dataset, model = first
    copy = tmp_path / "elsewhere" / "models" / "tiny"
    shutil.copytree(model, copy)
    train(configure(dataset, tmp_path / "run", epochs=1, start_from=str(model)))
    train(configure(dataset, tmp_path / "run", epochs=1, start_from=str(copy)))
    assert "train tiny: up to date" in capsys.readouterr().out
    with pytest.raises(UserError, match="made with other settings: inputs.start_from"):
        train(configure(dataset, tmp_path / "run", epochs=1))


def test_a_staged_training_that_is_cut_off_ends_the_same(first, tmp_path, monkeypatch):
    dataset, model = first
    settings = {"start_from": str(model), "margin": [0.1, 0.3], "freeze_batchnorm": [False, True], "ema": 0.9, "image_size": [32, 64]}
    train(configure(dataset, tmp_path / "whole", **settings))
    config = configure(dataset, tmp_path / "cut", checkpoint_minutes=0, **settings)
    cut_off_at(5, monkeypatch, config)
    train(config)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole) and journal(tmp_path / "whole") == journal(tmp_path / "cut")


def test_paths_in_a_recipe_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["models.a.recipe.start_from=2024/models/a", "train.start_from=~/b"])
    assert str(config.train_of("a").start_from) == "2024/models/a" and config.train.start_from.is_absolute()


@pytest.mark.parametrize("setting", ["margin=[0.1, 0.2, 0.3]", "freeze_batchnorm=[true, false, true]"])
def test_a_list_takes_an_epoch_for_each_value(setting):
    with pytest.raises(UserError, match="names 3 values for 2 epochs"):
        load_config(None, ["train.epochs=2", f"train.{setting}"])
