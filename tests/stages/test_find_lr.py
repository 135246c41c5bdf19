import csv

import numpy as np
import pytest
import torch
from toy_training import configure, make_photos

from landmarks.cli import main
from landmarks.errors import UserError
from landmarks.stages import find_lr as module
from landmarks.stages.find_lr import find_lr
from landmarks.stages.plot_training import plot_training
from landmarks.stages.train import train
from landmarks.training.learner import Learner


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("toy"))


def test_the_curve_and_the_rate_are_written(dataset, tmp_path, capsys):
    config = configure(dataset, tmp_path, epochs=1, freeze_backbone_steps=100, image_size=[32])
    rate = find_lr(config, steps=40, lowest=1e-5, highest=100)
    assert f"train.learning_rate={rate:.1e}" in capsys.readouterr().out and 1e-4 < rate < 10
    with open(tmp_path / "rates" / "tiny.csv") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert [row["learning_rate"] for row in rows] == pytest.approx(np.geomspace(1e-5, 100, 40)[: len(rows)])
    assert 10 < len(rows) <= 40
    svg = (tmp_path / "rates" / "tiny.svg").read_text()
    assert svg.startswith("<svg xmlns=") and 'class="mark"' in svg
    assert not (tmp_path / "models").exists()
    again = find_lr(config, steps=40, lowest=1e-5, highest=100)
    assert again == rate


def test_a_rate_that_is_used_lowers_the_loss(dataset, tmp_path):
    rate = find_lr(configure(dataset, tmp_path, epochs=1), steps=40, lowest=1e-5, highest=100)
    lines = []
    for number, learning_rate in enumerate((rate, rate / 1000)):
        config = configure(dataset, tmp_path / str(number), epochs=3, learning_rate=learning_rate)
        (model,) = train(config)
        lines.append([float(line.split('"loss": ')[1].split(",")[0]) for line in (model / "metrics.jsonl").read_text().splitlines()])
    assert np.mean(lines[0][-4:]) < 0.8 * np.mean(lines[1][-4:])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"model": "other"}, "no model 'other' is trained"), ({"steps": 2}, "no range"), ({"lowest": 1.0, "highest": 0.1}, "no range")],
)
def test_what_cannot_be_measured_is_refused(dataset, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        find_lr(configure(dataset, tmp_path), **options)


def test_the_curves_of_all_models_are_on_one_page(dataset, tmp_path, capsys):
    config = configure(dataset, tmp_path, models=("a", "b"), epochs=2, validation_images=6)
    with pytest.raises(UserError, match="(?s)no model has a journal.*train"):
        plot_training(config)
    train(config)
    page = plot_training(config).read_text()
    for title in ("loss", "accuracy on the batches", "mAP@100 of the held-out images", "learning rate", "images per second"):
        assert f"<title>{title}</title>" in page
    assert page.count("<polyline") == 2 * page.count("<svg")
    for line in (tmp_path / "models" / "a" / "metrics.jsonl", tmp_path / "models" / "b" / "metrics.jsonl"):
        line.unlink()


def test_the_commands_are_known(tmp_path, capsys):
    for command in (["find-lr", "nobody", "--steps", "5"], ["plot-training"]):
        assert main([*command, f"run.folder={tmp_path / 'run'}", f"dataset.folder={tmp_path}"]) == 2
        assert "error: no model" in capsys.readouterr().err


def test_memory_that_is_not_enough_names_the_parts(dataset, tmp_path, monkeypatch):
    def forward(self, *batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Learner, "forward", forward)
    with pytest.raises(UserError, match="(?s)memory is not enough.*train.accumulate=2"):
        find_lr(configure(dataset, tmp_path, epochs=1), steps=5)


def test_images_that_are_not_clean_count_as_in_the_training(dataset, tmp_path, monkeypatch):
    rows = (dataset / "train.csv").read_text().splitlines()
    (dataset / "clean.csv").write_text("\n".join(rows[:-6]) + "\n")
    given = []
    monkeypatch.setattr(module, "measure_rates", lambda name, learner, train_set, *others: given.append(train_set.weights) or np.ones(5))
    find_lr(configure(dataset, tmp_path, epochs=1, clean_table="clean.csv", unclean_weight=0.5), steps=5)
    assert given[0].tolist() == [1.0] * 42 + [0.5] * 6
