"""A run folder keeps its configuration: named in place of it, refused for other datasets and models, and with a log."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.config.run_file import as_yaml, differences, stored_dataset
from landmarks.errors import UserError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A finished run over arrays in data/, in out/, and its configuration c.yaml; the current folder is theirs."""
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("index", 40), ("test", 6)):
        (tmp_path / "data").mkdir(exist_ok=True)
        np.save(tmp_path / "data" / f"{split}.npy", random.standard_normal((count, 8)).astype(np.float32))
        rows = [f"{split}{n}" + (f",{n % 5}" if split == "train" else "") for n in range(count)]
        (tmp_path / "data" / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")
    images = [" ".join(f"index{i}" for i in range(n, 40, 6)) for n in range(6)]
    lines = [f"test{n},{images[n]},{'Public' if n % 2 else 'Private'}" for n in range(6)]
    (tmp_path / "data" / "retrieval_solution.csv").write_text("\n".join(["id,images,Usage", *lines]) + "\n")
    (tmp_path / "c.yaml").write_text("dataset: {folder: data}\nrerank: [sort]\nrun: {folder: out}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--config", "c.yaml", "search.neighbours=20"]) == 0
    return tmp_path


def rankings(folder):
    return {path.parent.name: json.loads(path.read_text())["fingerprint"] for path in (folder / "out/rankings").glob("*/manifest.json")}


def test_it_is_whole_with_absolute_paths_and_can_be_fed_back(made):
    stored = yaml.safe_load((made / "out/config.yaml").read_text())
    assert stored["version"] == 1 and stored["dataset"]["folder"] == str(made / "data") and stored["run"]["folder"] == str(made / "out")
    assert stored["search"]["neighbours"] == 20 and stored["rerank"] == [{"step": "sort", "neighbours": 3}]
    config = load_config(made / "out/config.yaml")
    assert as_yaml(config) == (made / "out/config.yaml").read_text() and differences(config, made / "out/config.yaml") == []


@pytest.mark.parametrize("stage", ["report", "rerank", "evaluate", "submit", "ablate", "search", "run", "config", "results"])
def test_the_folder_stands_for_its_configuration(made, stage, capsys, monkeypatch, tmp_path_factory):
    before = rankings(made)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert main([stage, str(made / "out"), "ablate.samples=100"]) == 0, capsys.readouterr().err
    assert rankings(made) == before


def test_overrides_still_apply_and_are_not_kept(made):
    stored = (made / "out/config.yaml").read_text()
    assert main(["rerank", "out", "rerank=sort,insert"]) == 0
    assert set(rankings(made)) == {"knn", "sort", "sort+insert"} and (made / "out/config.yaml").read_text() == stored
    assert main(["evaluate", "rerank=sort,insert", "out"]) == 0, "before or behind the folder"
    assert "sort+insert" in (made / "out/metrics.json").read_text()


def test_a_folder_that_was_moved_is_its_own(made):
    shutil.move(made / "out", made / "moved")
    assert main(["rerank", "moved", "rerank=insert"]) == 0
    assert (made / "moved/rankings/insert").is_dir() and not (made / "out").exists()


def test_another_configuration_is_refused_with_the_command_that_was_meant_and_nothing_is_lost(made, capsys):
    before = rankings(made)
    (made / "other.yaml").write_text("models: {a: {backbone: resnet50}}\nrerank: [discriminate]\n")
    for words in (["--config", "other.yaml"], ["--config", "c.yaml", "dataset.folder=elsewhere"]):
        for stage in ("rerank", "search", "report", "run", "train"):
            assert main([stage, *words, "run.folder=out"]) == 2
            error = capsys.readouterr().err
            assert "made with other settings" in error and f"next:  ./run.sh {stage} out  (its own" in error
    assert rankings(made) == before
    assert main(["report", "out"]) == 0


@pytest.mark.parametrize("override", ["rerank=insert", "ablate.samples=200", "evaluate.protocol=retrieval", "search.neighbours=10"])
def test_other_settings_of_what_comes_behind_are_not_refused(made, override):
    assert main(["run", "--config", "c.yaml", override]) == 0
    key, _, value = override.partition("=")
    stored = load_config(made / "out/config.yaml").model_dump(mode="json")
    section, *rest = key.split(".")
    assert "insert" in str(stored[section]) if section == "rerank" else str(stored[section][rest[0]]) == value


def test_a_folder_of_an_earlier_version_and_one_of_no_run(made, capsys):
    (made / "out/config.yaml").unlink()
    assert main(["report", "out", "rerank=sort"]) == 2
    assert "./run.sh report --config FILE run.folder=out rerank=sort" in capsys.readouterr().err
    assert main(["rerank", "--config", "c.yaml", "search.neighbours=20"]) == 0 and (made / "out/config.yaml").is_file()
    (made / "empty").mkdir()
    assert main(["report", "empty"]) == 2 and "no run was made in it" in capsys.readouterr().err


def test_one_of_a_later_version_is_refused(made, capsys):
    text = (made / "out/config.yaml").read_text().replace("version: 1", "version: 2")
    (made / "out/config.yaml").write_text(text)
    assert main(["report", "out"]) == 2 and "another version" in capsys.readouterr().err


def test_a_table_that_was_changed_after_the_search_begins_nothing(made, capsys):
    before = rankings(made)
    (made / "data/train.csv").write_text("id,landmark_id\nothers0,1\nothers1,2\n")
    assert main(["rerank", "out", "rerank=sort,insert"]) == 2
    error = capsys.readouterr().err
    assert "another train.csv" in error and "./run.sh search out" in error
    assert {name: rankings(made)[name] for name in before} == before


@pytest.mark.parametrize(
    ("stage", "missing", "command"),
    [
        ("rerank", "out/rankings/knn/manifest.json", "./run.sh search out"),
        ("report", "out/rankings/sort/manifest.json", "./run.sh rerank out"),
        ("evaluate", "out/rankings/sort/manifest.json", "./run.sh rerank out"),
        ("report", "out/per_query.csv", "./run.sh"),
    ],
)
def test_what_is_missing_is_answered_with_the_command_that_makes_it(made, capsys, stage, missing, command):
    (made / missing).unlink()
    assert main([stage, "out"]) == 2
    assert f"{command}" in capsys.readouterr().err.split("next:")[1]


def test_a_dataset_that_is_not_there_is_answered_with_the_stage_that_makes_it(tmp_path, capsys):
    for config, stage in (("gldv2", "download"), ("photos", "import"), ("roxford", "prepare"), ("sample", "sample")):
        words = ["--config", f"configs/{config}.yaml", f"dataset.folder={tmp_path / 'none'}", f"run.folder={tmp_path / 'out'}"]
        assert main(["submit", *words]) == 2
        assert f"next:  ./run.sh {stage} --config configs/{config}.yaml" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_log_has_what_was_printed_with_times_and_no_bars(made):
    assert main(["rerank", "out", "rerank=insert"]) == 0 and main(["report", "out", "rerank=soft_labels"]) == 2
    lines = (made / "out/run.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d .", line) for line in lines)
    text = "\n".join(line.split(" ", 1)[1] for line in lines)
    assert text.startswith("$ ./run.sh run --config c.yaml search.neighbours=20\n")
    assert "mAP@100 in percent" in text and "\n$ ./run.sh rerank out rerank=insert" in text and "\nUserError: not there" in text
    assert "it/s]" not in text and "\x1b" not in text


def test_what_only_prints_makes_no_folder(tmp_path):
    for stage in (["config"], ["results", f"run.ledger={tmp_path / 'none.csv'}"]):
        assert main([*stage, "--config", "configs/sample.yaml", f"run.folder={tmp_path / 'out'}"]) == 0
    assert main(["evaluate", "--config", "configs/sample.yaml", f"run.folder={tmp_path / 'out'}", f"dataset.folder={tmp_path}"]) == 2
    assert not (tmp_path / "out").exists()


def test_a_stranger_s_folder_runs_no_code_when_it_is_compared(made, capsys):
    (made / "evil.py").write_text("raise SystemExit('this ran')\n")
    file = made / "out/config.yaml"
    file.write_text(file.read_text().replace("rerank:\n", "rerank:\n- step: evil:Step\n"))
    assert main(["rerank", "--config", "c.yaml", "search.neighbours=20"]) == 0
    file.write_text(file.read_text().replace("rerank:\n", "rerank:\n- step: evil:Step\n"))
    assert main(["rerank", "out"]) == 2 and "--allow-code" in capsys.readouterr().err


def test_a_configuration_of_another_version_is_refused_and_names_the_key(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\ndataset: {colour: blue}\n")
    with pytest.raises(UserError, match=r"dataset\.colour: [\s\S]*config.yaml"):
        stored_dataset(file)
    file.write_text("version: 1\ndataset:\n")
    assert stored_dataset(file).source


def test_what_a_kill_left_half_written_beside_the_artefacts_goes_with_the_next_command(made):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [made / "out" / name for name in ("x", "recognition/x", "matches/x")]
    left = [path.with_name(f".{path.name}.{socket.gethostname().replace('.', '-')}.{dead.pid}.part") for path in left]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert main(["submit", "out"]) == 0
    assert not any(path.exists() for path in left)
