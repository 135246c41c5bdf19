import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from landmarks import cli
from landmarks.cli import main
from landmarks.command import line_to_type


def test_help_is_fast_to_load_and_names_every_stage():
    code = (
        "import sys; from landmarks.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, 'faiss' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sort" not in done.stderr and done.stdout.strip().endswith("False False False")
    for stage in (
        "run",
        "sample",
        "import",
        "download",
        "train",
        "extract",
        "search",
        "rerank",
        "submit",
        "evaluate",
        "ablate",
        "report",
        "config",
    ):
        assert f"\n    {stage} " in done.stdout
    for stage in ("clean", "extract-local", "show-matches"):
        assert f"\n    {stage}" in done.stdout


def test_the_merged_configuration_is_printed_in_the_form_that_is_typed(capsys, tmp_path):
    (tmp_path / "c.yaml").write_text("models: {a: {dimensions: 64, local: {dimensions: 32}}, b: {}}\n")
    assert main(["config", "--config", str(tmp_path / "c.yaml"), "train.epochs=3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("train.epochs=3 ") for line in lines) and any(line.startswith("models.a.dimensions=64 ") for line in lines)
    printed = [line.split()[0] for line in lines]
    assert "models.a.local.dimensions=32" in printed and "models.b.local=null" in printed
    assert not any(line.startswith(("models.a.local=", "models.b.local.")) for line in printed)
    assert all("#" in line for line in lines)


@pytest.mark.parametrize("arguments", [["config", "--config", "none.yaml"], ["config", "--config", "none.yaml", "x"]])
def test_the_user_s_mistakes_exit_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        (["rernk"], "./run.sh rerank"),
        (["Train", "train.epochs=1"], "./run.sh train train.epochs=1"),
        (["run", "Train"], "./run.sh train"),
        (["show_matches", "a", "b"], "./run.sh show-matches a b"),
        (["run", "configs/photos.yaml", "dataset.folder=x"], "./run.sh --config configs/photos.yaml dataset.folder=x"),
        (["rerank", "rerank=[{step:", "sort},", "{step:", "insert}]"], "quote it: 'rerank=[{step: sort}, {step: insert}]'"),
        (["train", "--lr", "0.1"], "train.learning_rate"),
        (["train", "lr=0.1"], "lr is here: train.learning_rate"),
        (["train", "amp=true"], "train.precision"),
        (["train", "--resume"], "automatic"),
        (["train", "ema=0.99"], "train.ema"),
        (["train", "wandb=true"], "train.track=wandb"),
        (["config", "--config", "configs/sample.yaml", "--config", "configs/photos.yaml"], "named twice"),
        (["config", "tests"], "unknown section 'tests'"),
        (["evaluate", "tests"], "no run was made in it"),
    ],
)
def test_what_is_nearly_right_gets_the_right_form(typed, right, capsys):
    assert main(typed) == 2
    assert right in capsys.readouterr().err


def test_overrides_may_stand_on_both_sides_of_the_configuration(capsys, tmp_path):
    (tmp_path / "c.yaml").write_text("{}\n")
    assert main(["config", "train.epochs=3", "--config", str(tmp_path / "c.yaml"), "train.seed=9"]) == 0
    printed = capsys.readouterr().out
    assert "train.epochs=3 " in printed and "train.seed=9 " in printed
    with pytest.raises(SystemExit) as stop:
        main(["config", "--confg", "x"])
    assert stop.value.code == 2


def test_import_takes_the_folder_as_it_is(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(Path(__file__).parents[1])
    assert main(["import", str(tmp_path / "none"), f"run.folder={tmp_path}"]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "stage", "words", "line"),
    [
        ("./run.sh", "run", ["--config", "c.yaml", "--yes"], "./run.sh --config c.yaml --yes"),
        ("/home/me/run.sh", "run", [], "/home/me/run.sh"),
        ("./run.sh", "run", ["outputs/mine"], "./run.sh run outputs/mine"),
        ("./run.sh", "train", ["train.epochs=2"], "./run.sh train train.epochs=2"),
        ("landmarks", "run", ["--config", "c.yaml"], "landmarks run --config c.yaml"),
        ("python -m landmarks", "run", [], "python -m landmarks run"),
    ],
)
def test_the_next_command_can_be_typed(monkeypatch, program, stage, words, line):
    monkeypatch.setenv("LANDMARKS_PROGRAM", program)
    assert line_to_type(stage, *words) == line


def test_nothing_of_another_launch_reaches_a_single_process(monkeypatch, capsys):
    """Accelerate would look for DeepSpeed, compile, choose a device, or join processes that are not there."""
    foreign = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DYNAMO_BACKEND", "ACCELERATE_TORCH_DEVICE", "WORLD_SIZE", "LOCAL_RANK")
    for name in foreign:
        monkeypatch.setenv(name, "2")
    assert main(["config"]) == 0 and not [name for name in foreign if name in os.environ]


def test_a_run_folder_without_a_stage_is_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("sample").mkdir()
    Path("sample/config.yaml").write_text("{}\n")
    assert main(["./sample", "rerank=sort"]) == 2
    assert "next:  ./run.sh run ./sample rerank=sort" in capsys.readouterr().err


def test_full_shared_memory_is_not_a_full_disk(tmp_path, monkeypatch, capsys):
    def cannot_start(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "run_stage", cannot_start)
    for free, where in ((0, "/dev/shm"), (1 << 20, str(tmp_path))):
        monkeypatch.setattr(cli, "free_shared_memory", lambda free=free: free)
        assert main(["config", f"run.folder={tmp_path}"]) == 2
        assert f"where: {where}\n" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("stage", ["config", "evaluate"])
def test_a_full_standard_output_is_named(tmp_path, monkeypatch, capsys, stage):
    (tmp_path / "e.yaml").write_text("{}\n")
    for split in ("index", "test"):
        (tmp_path / f"{split}.csv").write_text(f"id\n{split}\n")
    (tmp_path / "train.csv").write_text("id,landmark_id\n")
    (tmp_path / "s.csv").write_text("id,images\ntest,index\n")
    monkeypatch.chdir(tmp_path)
    full = open("/dev/full", "w")
    monkeypatch.setattr(sys, "stdout", full)
    assert main([stage, "--config", "e.yaml", "dataset.folder=.", "run.folder=out", "evaluate.submission=s.csv"]) == 2
    error = capsys.readouterr().err
    assert "the disk is full" in error and "where: standard output" in error
    monkeypatch.undo()
    with suppress(OSError):
        full.close()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_fault(tmp_path, closed):
    (tmp_path / "e.yaml").write_text("{}\n")
    line = f'"{sys.executable}" -m landmarks config --config e.yaml {closed}'
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr and ("run.folder" in done.stdout) == (closed == "2>&-")
