"""A training on the CPU that is told it were a GPU which waits for its pictures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_training import configure, journal, make_photos

from landmarks.data import train_set as train_set_module
from landmarks.data.copies import Copies, Cost
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.stages.shrink import shrink
from landmarks.stages.train import train
from landmarks.store.tables import read_train
from landmarks.training import going_over, loop
from landmarks.waiting import Timed


@pytest.fixture
def dataset(tmp_path):
    """48 photos, four of them large: four steps an epoch."""
    folder = make_photos(tmp_path / "data")
    for number, id in enumerate(read_train(folder / "train.csv").ids[:4]):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((900, 600), Image.Resampling.BICUBIC).save(image_path(folder, "train", id))
    return folder


@pytest.fixture
def starved(monkeypatch):
    """A GPU that waits 60 % of its time; copies take no time to be made. Returns the number of pictures read from copies and files."""
    monkeypatch.setattr(going_over, "may_pay", lambda device: True)
    monkeypatch.setattr(Timed, "share_waited", lambda self: 0.6)
    monkeypatch.setattr(Copies, "cost", lambda self, train_set: Cost(0.1, 0.01, 1e-9, 1000.0))
    return reading(monkeypatch)


def reading(monkeypatch):
    opened, read = [], train_set_module.read_image
    monkeypatch.setattr(train_set_module, "read_image", lambda path, *rest: opened.append("shrunk" in path.parts) or read(path, *rest))
    return opened


def decided(run):
    return json.loads((run / "models/tiny/manifest.json").read_text()).get("decided")


def test_it_goes_over_at_the_second_line_that_waits(dataset, tmp_path, starved, capsys):
    run = tmp_path / "run"
    train(configure(dataset, run))
    # The first line starts the loading processes, the second and third wait: 3 steps of 12 images from files, 5 from copies.
    assert starved == [False] * 36 + [True] * 60
    said = capsys.readouterr().out
    assert "smaller copies of its pictures from here on (train.shrunk=false does without): 60% of the time waiting" in said
    assert decided(run)["shrunk"] is True and (run / "shrunk/manifest.json").is_file()
    assert [line["step"] for line in journal(run)] == list(range(1, 9))
    train(configure(dataset, run))
    assert "up to date" in capsys.readouterr().out
    shutil.rmtree(run / "shrunk")
    train(configure(dataset, run))
    assert "up to date" in capsys.readouterr().out, "a finished model needs no copies"


def test_the_images_are_those_of_a_training_without_copies(dataset, tmp_path, starved, monkeypatch):
    keys, steps = [], loop.TrainSet.__getitem__
    monkeypatch.setattr(loop.TrainSet, "__getitem__", lambda self, key: keys.append(key) or steps(self, key))
    train(configure(dataset, tmp_path / "over"))
    over, keys[:] = keys[:], []
    train(configure(dataset, tmp_path / "asked", shrunk=False))
    assert over == keys and len(keys) == 96


@pytest.mark.parametrize("asked", [False, True])
def test_what_is_asked_for_is_not_decided(dataset, tmp_path, starved, asked):
    if asked:
        shrink(configure(dataset, tmp_path / "run"))
    train(configure(dataset, tmp_path / "run", shrunk=asked))
    assert set(starved) == {asked} and "shrunk" not in (decided(tmp_path / "run") or {})


def test_what_an_earlier_version_wrote_down_as_false_is_the_same_model(dataset, tmp_path, capsys):
    """Where that was the default, in config.yaml and not in recipes."""
    train(configure(dataset, tmp_path / "run", shrunk=False))
    made = json.loads((tmp_path / "run/models/tiny/manifest.json").read_text())
    assert "shrunk" not in made["settings"]["train"]
    capsys.readouterr()
    train(configure(dataset, tmp_path / "run"))
    assert "up to date" in capsys.readouterr().out


def test_a_cpu_trains_on_its_pictures_whatever_waits_and_is_there(dataset, tmp_path, monkeypatch):
    opened = reading(monkeypatch)
    monkeypatch.setattr(Timed, "share_waited", lambda self: 0.9)
    shrink(configure(dataset, tmp_path / "run"))
    train(configure(dataset, tmp_path / "run"))
    assert set(opened) == {False} and "shrunk" not in (decided(tmp_path / "run") or {})


def test_what_does_not_pay_is_said_once_and_kept(dataset, tmp_path, starved, capsys, monkeypatch):
    monkeypatch.setattr(Copies, "cost", lambda self, train_set: Cost(0.1, 0.01, 1e6, 1000.0))
    train(configure(dataset, tmp_path / "run"))
    assert capsys.readouterr().out.count("train tiny: its pictures as they are: 60% of the time waiting") == 1
    assert set(starved) == {False} and decided(tmp_path / "run")["shrunk"] is False and not (tmp_path / "run/shrunk").exists()


def test_a_wait_that_passes_decides_nothing(dataset, tmp_path, starved, capsys, monkeypatch):
    shares = iter([0.9, 0.9, 0.0, 0.9, 0.01, 0.9, 0.0, 0.9])
    monkeypatch.setattr(Timed, "share_waited", lambda self: next(shares))
    train(configure(dataset, tmp_path / "run"))
    assert "waiting for images" not in capsys.readouterr().out and "shrunk" not in (decided(tmp_path / "run") or {})


@pytest.mark.parametrize("better", [True, False])
def test_a_resumed_run_repeats_it(dataset, tmp_path, starved, capsys, monkeypatch, better):
    run = tmp_path / "run"
    config = configure(dataset, run, checkpoint_minutes=0)
    making = 1e-9 if better else 1e6
    monkeypatch.setattr(Copies, "cost", lambda self, train_set: Cost(0.1, 0.01, making, 1000.0))
    write = loop.write_resume

    def cut_off(folder, step, *rest):
        write(folder, step, *rest)
        if step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "write_resume", cut_off)
        train(config)
    starved.clear()
    capsys.readouterr()
    monkeypatch.setattr(Timed, "share_waited", lambda self: 0.0)
    train(config)
    assert starved == [better] * 36 and decided(run)["shrunk"] is better
    assert ("on smaller copies of its pictures, as this training began" in capsys.readouterr().out) == better


def test_copies_that_were_lost_meanwhile_are_made_again(dataset, tmp_path, starved, monkeypatch):
    run, write = tmp_path / "run", loop.write_resume
    config = configure(dataset, run, checkpoint_minutes=0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "write_resume", lambda folder, step, *rest: write(folder, step, *rest) if step < 6 else interrupt())
        train(config)
    shutil.rmtree(run / "shrunk")
    starved.clear()
    train(config)
    assert starved == [True] * 36 and (run / "shrunk/manifest.json").is_file()


def interrupt():
    raise KeyboardInterrupt


def test_copies_that_are_there_are_taken_without_a_price(dataset, tmp_path, starved, capsys, monkeypatch):
    monkeypatch.setattr(Copies, "cost", lambda self, train_set: Cost(0.1, 0.01, 1e6, 1e15))
    config = configure(dataset, tmp_path / "run")
    shrink(config.model_copy(update={"shrink": config.shrink.model_copy(update={"quality": 80})}))
    made = (tmp_path / "run/shrunk/manifest.json").read_bytes()
    train(config)
    assert "and they are there" in capsys.readouterr().out and starved[-1]
    assert (tmp_path / "run/shrunk/manifest.json").read_bytes() == made


def test_copies_of_a_size_that_is_set_too_small_are_left_alone(dataset, tmp_path, starved):
    config = configure(dataset, tmp_path / "run")
    train(config.model_copy(update={"shrink": config.shrink.model_copy(update={"side": 32})}))
    assert set(starved) == {False} and not (tmp_path / "run/shrunk").exists()


def test_a_folder_that_cannot_be_begun_leaves_the_pictures_as_they_are(dataset, tmp_path, starved, capsys):
    (tmp_path / "run/shrunk").mkdir(parents=True)
    (tmp_path / "run/shrunk/mine.txt").write_text("notes")
    train(configure(dataset, tmp_path / "run"))
    assert "its pictures as they are: the folder holds files that shrink did not make\n" in capsys.readouterr().out
    assert set(starved) == {False} and (tmp_path / "run/shrunk/mine.txt").is_file()


@pytest.mark.parametrize("error", [UserError("the disk is full"), OSError(5, "the disk is full")], ids=["full", "broken"])
def test_a_disk_that_fills_up_is_said_and_the_same_command_goes_on_without(dataset, tmp_path, starved, monkeypatch, error):
    config = configure(dataset, tmp_path / "run", checkpoint_minutes=0)
    write, written = Copies._write, []

    def fails(self, id):
        if len(written) == 3:
            raise error
        written.append(id)
        return write(self, id)

    with monkeypatch.context() as patch, pytest.raises((UserError, OSError), match="the disk is full"):
        patch.setattr(Copies, "_write", fails)
        train(config)
    assert not (tmp_path / "run" / "shrunk").exists(), "the training needs the room"
    train(config)
    assert set(starved) == {False} and decided(tmp_path / "run")["shrunk"] is False


def test_the_cost_is_measured_on_pictures_of_the_training(dataset, tmp_path):
    config = configure(dataset, tmp_path / "run")
    large = [str(id) for id in read_train(dataset / "train.csv").ids[:4]]
    pictures = train_set_module.TrainSet(dataset, np.array(large), np.zeros(4, int), config.train)
    copies = Copies(tmp_path / "run", dataset / "train.csv", 64, config.shrink, 10**8)
    cost = copies.cost(pictures)
    assert cost.from_file > cost.from_copy > 0 and cost.making > 0 and 500 < cost.size < 64 * 64 * 3
    assert pictures.shrunk is None and not (tmp_path / "run").exists()
    for id in large:
        image_path(dataset, "train", id).write_bytes(b"no picture")
    assert copies.cost(pictures) is None


SCRIPT = """
import os, sys
from landmarks.config import Config
from landmarks.data.copies import Copies, Cost
from landmarks.stages.train import train
from landmarks.training import going_over
from landmarks.waiting import Timed

going_over.may_pay = lambda device: True
Timed.share_waited = lambda self: 0.6 if os.environ["RANK"] == "1" else 0.0
Copies.cost = lambda self, train_set: Cost(0.1, 0.01, 1e-9, 1000.0)
train(Config.model_validate_json(sys.argv[1]))
"""


@pytest.mark.slow
def test_processes_go_over_together_though_only_one_of_them_waits(dataset, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    config = configure(dataset, tmp_path / "run")
    config = config.model_copy(update={"shrink": config.shrink.model_copy(update={"shard_images": 10})})
    options = {"--num_processes": 2, "--num_machines": 1, "--mixed_precision": "no", "--dynamo_backend": "no", "--main_process_port": 0}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", *words, str(tmp_path / "script.py")]
    environment = {**os.environ, "PYTHONPATH": str(Path(loop.__file__).parents[2])}
    done = subprocess.run([*command, config.model_dump_json()], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("smaller copies of its pictures from here on") == 1 and decided(tmp_path / "run")["shrunk"] is True
    assert json.loads((tmp_path / "run/shrunk/manifest.json").read_text())["images"] == 48
    assert len(list((tmp_path / "run/shrunk/shards").iterdir())) == 5
