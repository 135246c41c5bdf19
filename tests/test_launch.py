"""A stage as several processes, with a stand-in for Accelerate that writes down its command line and ends as it is told."""

import json
import os
import socket
from pathlib import Path

import pytest

from landmarks import cuda
from landmarks import launch as module
from landmarks.config import RunSettings
from landmarks.errors import UserError
from landmarks.launch import REFUSAL_FILE, launch, process_count

ACCELERATE = f"""
import json, os, pathlib, sys
words = sys.argv[1:]
foreign = sorted(key for key in os.environ if key.startswith(("ACCELERATE_", "FSDP_", "PET_", "RANK", "OMPI_")))
configuration = json.loads(pathlib.Path(words[words.index("--config_file") + 1]).read_text())
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(dict(words=words, foreign=foreign, configuration=configuration)))
if os.environ["ENDS"] == "refused":
    pathlib.Path(os.environ["{REFUSAL_FILE}"]).touch()
if not os.environ["ENDS"].startswith("-"):
    sys.exit({{"done": 0, "refused": 2, "failed": 3}}[os.environ["ENDS"]])

def main():
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
    failures = {{rank: ProcessFailure(rank, 0, code, "none") for rank, code in enumerate((1, int(os.environ["ENDS"]), 1))}}
    raise ChildFailedError("landmarks", failures)
"""


@pytest.fixture
def accelerate(tmp_path, monkeypatch):
    """accelerate(ends): launch train in 3 processes, which end like that; returns the command line."""
    commands = tmp_path / "accelerate" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands.parent, commands):
        (folder / "__init__.py").touch()
    (commands / "launch.py").write_text(ACCELERATE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(module.__file__).parents[1])]))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setattr(module, "cores", lambda: 7)

    def run(ends, settings=None):
        monkeypatch.setenv("ENDS", ends)
        launch("train", ["--config", "c.yaml", "train.epochs=2", "run.folder=a b"], 3, settings or RunSettings())
        return json.loads((tmp_path / "seen.json").read_text())

    return run


def test_the_stage_is_started_with_its_own_words_by_so_many_processes(accelerate):
    line = accelerate("done")["words"]
    ours = line.index("-m")
    assert line[ours:] == ["-m", "landmarks", "train", "--config", "c.yaml", "train.epochs=2", "run.folder=a b"]
    assert line[0] == "--multi_gpu"
    options = options_of(line)
    assert options.pop("--config_file").endswith("accelerate.json")
    assert options == {
        "--gpu_ids": "all",
        "--num_processes": "3",
        "--num_machines": "1",
        "--machine_rank": "0",
        "--mixed_precision": "no",
        "--dynamo_backend": "no",
        "--main_process_port": "0",
        "--num_cpu_threads_per_process": "2",
    }


def options_of(line):
    words = line[1 : line.index("-m")]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_every_machine_is_told_of_the_first(accelerate, capsys):
    options = options_of(accelerate("done", RunSettings(machines=4, machine=2, address="node0:29501"))["words"])
    several = {"--num_machines": "4", "--num_processes": "12", "--machine_rank": "2"}
    several |= {"--main_process_ip": "node0", "--main_process_port": "29501"}
    assert several.items() <= options.items()
    said = "train: machine 2 of 4; it begins when all of them run this command (run.machine=0 to 3, one on each), at node0:29501"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"machines": 2}, "needs run.address=HOST:PORT"),
        ({"machines": 2, "address": "node0"}, "needs run.address=HOST:PORT"),
        ({"machines": 2, "machine": 2, "address": "node0:1"}, "numbered from 0"),
        ({"machine": 1}, "numbered from 0"),
    ],
)
def test_machines_that_could_not_find_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RunSettings(**settings)


def test_what_another_launch_left_in_the_environment_is_not_passed_on(accelerate, monkeypatch):
    names = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_MIXED_PRECISION", "FSDP_VERSION", "PET_NPROC_PER_NODE", "RANK", "OMPI_COMM_WORLD_SIZE")
    for name in names:
        monkeypatch.setenv(name, "1")
    assert accelerate("done")["foreign"] == []


def test_a_saved_configuration_of_accelerate_is_not_read(tmp_path, monkeypatch, capfd):
    """With gpu_ids '0' Accelerate refuses to start several processes; with fp16 and DeepSpeed it would start others."""
    (tmp_path / "accelerate").mkdir()
    saved = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "DEEPSPEED", "mixed_precision": "fp16", "gpu_ids": "0"}
    saved |= {"num_machines": 7, "num_processes": 1, "use_cpu": False, "main_process_ip": "192.0.2.1", "machine_rank": 3, "debug": True}
    (tmp_path / "accelerate" / "default_config.yaml").write_text(json.dumps(saved))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    launch("config", ["run.folder=twice"], 2, RunSettings())
    assert capfd.readouterr().out.count("twice") == 2


def test_machines_that_do_not_meet_are_told_what_to_do(capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = RunSettings(machines=2, address=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UserError, match="(?s)the processes cannot meet: .*next:  a free port in run.address"):
            launch("config", [], 1, place)
    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_stops_with_a_message_has_the_last_word(capfd):
    with pytest.raises(UserError, match="config stopped in one of 2 processes"):
        launch("config", ["train.epochs=many"], 2, RunSettings())
    said = capfd.readouterr().err
    assert "error: train.epochs" in said and "Traceback" not in said and "ChildFailedError" not in said


def test_a_refusal_is_the_user_s_to_fix_and_any_other_end_is_a_failure(accelerate):
    with pytest.raises(UserError, match=r"train stopped in one of 3 processes \(exit code 2\); its own message is above"):
        accelerate("refused")
    with pytest.raises(RuntimeError, match=r"train failed in one of 3 processes \(exit code 3\)"):
        accelerate("failed")
    assert REFUSAL_FILE not in os.environ


def test_a_process_that_the_system_ends_is_no_fault_of_the_program_and_one_that_crashes_is(accelerate):
    """As it does where memory runs out; the others then fail in talking to it."""
    with pytest.raises(UserError, match="(?s)one of 3 processes of train was ended by the signal Killed.*fewer of them"):
        accelerate("-9")
    with pytest.raises(RuntimeError, match=r"train failed in one of 3 processes \(exit code 139\)"):
        accelerate("-11")


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
def test_one_process_a_card_unless_a_number_is_set(monkeypatch, launched, settings, cards, processes):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(cuda, "find_cards", lambda: cuda.Cards(tuple(range(cards)), None))
    assert process_count(RunSettings(**settings)) == processes
    launched(1)
    assert process_count(RunSettings(**settings)) == 1, "a launched process launches none"
