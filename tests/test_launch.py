"""A stage as several processes, with a stand-in for Accelerate that writes down its command line and ends as it is told."""

import json
import os

import pytest
import torch

from landmarks.config import RunSettings
from landmarks.errors import UserError
from landmarks.launch import REFUSAL_FILE, launch, process_count

ACCELERATE = f"""
import json, os, pathlib, sys
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(sys.argv[1:]))
if os.environ["ENDS"] == "refused":
    pathlib.Path(os.environ["{REFUSAL_FILE}"]).touch()
sys.exit({{"done": 0, "refused": 2, "killed": 3}}[os.environ["ENDS"]])
"""


@pytest.fixture
def accelerate(tmp_path, monkeypatch):
    """accelerate(ends): launch train in 3 processes, which end like that; returns the command line."""
    commands = tmp_path / "accelerate" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands.parent, commands):
        (folder / "__init__.py").touch()
    (commands / "launch.py").write_text(ACCELERATE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setattr(os, "cpu_count", lambda: 7)

    def run(ends):
        monkeypatch.setenv("ENDS", ends)
        launch("train", ["--config", "c.yaml", "train.epochs=2", "run.folder=a b"], 3)
        return json.loads((tmp_path / "seen.json").read_text())

    return run


def test_the_stage_is_started_with_its_own_words_by_so_many_processes(accelerate):
    line = accelerate("done")
    ours = line.index("-m")
    assert line[ours:] == ["-m", "landmarks", "train", "--config", "c.yaml", "train.epochs=2", "run.folder=a b"]
    options = line[:ours]
    assert options[0] == "--multi_gpu"
    assert dict(zip(options[1::2], options[2::2], strict=True)) == {
        "--num_processes": "3",
        "--num_machines": "1",
        "--mixed_precision": "no",
        "--dynamo_backend": "no",
        "--main_process_port": "0",
        "--num_cpu_threads_per_process": "2",
    }


def test_a_refusal_is_the_user_s_to_fix_and_any_other_end_is_a_failure(accelerate):
    with pytest.raises(UserError, match=r"train stopped in one of 3 processes \(exit code 2\); its own message is above"):
        accelerate("refused")
    with pytest.raises(RuntimeError, match=r"train failed in one of 3 processes \(exit code 3\)"):
        accelerate("killed")
    assert REFUSAL_FILE not in os.environ


@pytest.mark.parametrize(
    ("settings", "cards", "processes"),
    [
        ({"processes": 3, "device": "cpu"}, 2, 3),
        ({"device": "cpu"}, 2, 1),
        ({}, 2, 2),
        ({}, 0, 1),
        ({"device": "cuda"}, 4, 4),
    ],
)
def test_one_process_a_card_unless_a_number_is_set(monkeypatch, settings, cards, processes):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert process_count(RunSettings(**settings)) == processes
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_count(RunSettings(**settings)) == 1, "a launched process launches none"
