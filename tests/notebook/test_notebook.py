"""The notebook of a bundle: its cells run in a virtual environment of their own, without network, on photos laid out as a competition's."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from landmarks import pipeline
from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.notebook import run as notebook
from landmarks.notebook import time_limit
from landmarks.search.rankings import read_ranking
from landmarks.store.tables import read_tables

CONFIG = """
dataset: {source: sample}
sample: {landmarks: 6, longest_side: 64}
models: {tiny: {backbone: test_resnet, pretrained: false, dimensions: 16, local: {dimensions: 8, attention_channels: 16}}}
train: {epochs: 1, image_size: 64, batch_size: 8, workers: 0}
extract: {longest_side: 64, scales: [0.75, 1.0], workers: 0, shard_images: 20, local: {scales: [1.0], max_features: 50}}
rerank: [{step: verify, top: 20}, {step: sort}, {step: insert}]
run: {device: cpu}
"""
NO_NETWORK = """
import socket
def refused(*arguments, **named):
    raise OSError("this machine has no network")
socket.getaddrinfo = socket.create_connection = refused
connect = socket.socket.connect
socket.socket.connect = lambda self, address: connect(self, address) if self.family == socket.AF_UNIX else refused()
"""
RUN_CELLS = """
import json, sys
cells = {}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), cells)
"""


def wheel(folder, name):
    """A package of one line."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "found = True\n")
        file.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with its bundle: (folder, arguments of its command line)."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "c.yaml").write_text(CONFIG)
    wheel(folder / "index", "a_package_that_the_image_lacks")
    arguments = ["--config", str(folder / "c.yaml"), f"dataset.folder={folder / 'world'}", f"run.folder={folder / 'out'}"]
    arguments += ["bundle.wheels=[a-package-that-the-image-lacks]"]
    for stage in ("sample", "train", "extract", "search", "extract-local", "rerank", "submit"):
        assert main([stage, *arguments]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder / "index"))
        assert main(["bundle", *arguments]) == 0
    return folder, arguments


def lay_out(made, folder, queries=None):
    """The input folder of a notebook: the competition's data, without what it does not give, and the bundle."""
    world, competition = made[0] / "world", folder / "input" / "competitions" / "landmark-retrieval-2021"
    shutil.copytree(world / "index", competition / "index")
    test_ids = read_tables(world).test_ids[:queries]
    for id in test_ids:
        path = image_path(competition, "test", id)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image_path(world, "test", id), path)
    pd.DataFrame({"id": test_ids, "images": ""}).to_csv(competition / "sample_submission.csv", index=False)
    shutil.copytree(made[0] / "out" / "bundle", folder / "input" / "my-bundle")
    (folder / "working").mkdir()
    return folder / "input", folder / "working"


def rows(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")["images"]


def test_its_cells_write_the_run_s_own_submission(made, tmp_path):
    input, working = lay_out(made, tmp_path, queries=12)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    site = next((tmp_path / "venv" / "lib").glob("python3*")) / "site-packages"
    (site / "image.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # what the image has: the large libraries
    (site / "sitecustomize.py").write_text(NO_NETWORK)
    (tmp_path / "run_cells.py").write_text(RUN_CELLS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP", "LANDMARKS"))}
    environment |= {"LANDMARKS_INPUT": str(input), "LANDMARKS_WORKING": str(working)}
    python = str(tmp_path / "venv/bin/python")
    for module in ("landmarks", "a_package_that_the_image_lacks", "http.client; http.client.HTTPConnection('127.0.0.1', 9).connect()"):
        assert subprocess.run([python, "-c", f"import {module}"], env=environment, capture_output=True, check=False).returncode == 1
    command = [python, tmp_path / "run_cells.py", input / "my-bundle" / "notebook.ipynb"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dropped" not in done.stdout and "12 queries" in done.stdout
    subprocess.run([python, "-c", "import a_package_that_the_image_lacks"], env=environment, check=True)
    mine, ours = rows(working / "submission.csv"), rows(made[0] / "out" / "submission.csv")
    assert len(mine) == 12 and (mine == ours[mine.index]).all()


def test_on_two_cards_stages_run_in_two_processes_with_the_notebook_s_configuration(made, tmp_path, monkeypatch):
    input, working = lay_out(made, tmp_path, queries=12)
    config = input / "my-bundle" / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(settings | {"run": {"processes": 2, "device": "cpu"}}))
    launched = []

    def launch(name, command, processes, run):
        launched.append((name, processes))
        assert main([name, *command, "run.processes=1"]) == 0

    monkeypatch.setattr(pipeline, "launch", launch)
    notebook.make_submission(input / "my-bundle", input, working, time.time())
    assert launched == [("search", 2), ("extract-local", 2)]
    mine, ours = rows(working / "submission.csv"), rows(made[0] / "out" / "submission.csv")
    assert len(mine) == 12 and (mine == ours[mine.index]).all()


def test_the_bundle_is_whole_and_made_once(made, capsys):
    folder, arguments = made
    bundle = folder / "out" / "bundle"
    names = {path.name for path in bundle.iterdir()}
    assert {"bundle.json", "code", "config.yaml", "dataset", "descriptors", "models", "notebook.ipynb", "wheels"} <= names
    assert [path.name for path in (bundle / "wheels").iterdir()] == ["a_package_that_the_image_lacks-1.0-py3-none-any.whl"]
    written = json.loads((bundle / "notebook.ipynb").read_text())
    assert written["nbformat"] == 4 and all(cell["id"] for cell in written["cells"])
    assert main(["bundle", *arguments]) == 0
    assert "bundle: up to date" in capsys.readouterr().out


def test_a_package_that_does_not_exist_is_named(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["bundle", *made[1], "bundle.wheels=[no-such-package-here]"]) == 2
    assert "no-such-package-here" in capsys.readouterr().err
    monkeypatch.setenv("PIP_FIND_LINKS", str(made[0] / "index"))
    assert main(["bundle", *made[1]]) == 0


def test_a_bundle_takes_a_trained_model(made, tmp_path, capsys):
    assert main(["bundle", *made[1], f"run.folder={tmp_path}"]) == 2
    assert "not there, or not finished" in capsys.readouterr().err


class Clock:
    """Seconds that pass as a test says: each shard takes as long as its pixels cost."""

    def __init__(self, monkeypatch, seconds_an_image):
        self.now, make = 0.0, time_limit.make_shards

        def slow(job, shards, *more):
            self.scales = job.settings.scales
            self.now += seconds_an_image * sum(len(job.shard_ids(shard)) for shard in shards) * sum(scale**2 for scale in self.scales)
            make(job, shards, *more)

        monkeypatch.setattr(time_limit, "make_shards", slow)
        monkeypatch.setattr(time_limit.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(notebook.time, "time", lambda: self.now)


@pytest.mark.parametrize(
    ("hours", "scales", "words"),
    [(0.5, (0.75, 1.0), ["verification is dropped"]), (0.08, (0.75,), ["verification is dropped", "scale 1 is dropped"])],
)
def test_when_time_runs_short(made, tmp_path, monkeypatch, capsys, hours, scales, words):
    """About 12 queries and 70 index images of 1.56 s each: 130 s, verification far more."""
    input, working = lay_out(made, tmp_path, queries=12)
    monkeypatch.setattr(notebook, "PAIRS_PER_SECOND", 0.01)
    clock = Clock(monkeypatch, 1.0)
    config = input / "my-bundle" / "config.yaml"
    config.write_text(config.read_text().replace("hours: 9.0", f"hours: {hours}").replace("reserve_minutes: 30.0", "reserve_minutes: 3"))
    notebook.make_submission(input / "my-bundle", input, working, 0.0)
    said = capsys.readouterr().out
    assert all(word in said for word in words) and clock.scales == scales
    assert len(rows(working / "submission.csv")) == 12 and (working / "run" / "rankings" / "sort+insert").is_dir()


def test_at_the_very_end_index_images_are_left_out_and_every_query_gets_its_row(made, tmp_path, monkeypatch):
    input, working = lay_out(made, tmp_path)
    Clock(monkeypatch, 1.0)
    config = input / "my-bundle" / "config.yaml"
    queries = len(read_tables(made[0] / "world").test_ids)
    hours = (queries * 0.5625 + 40) / 3600  # the queries at the smallest scale, and a part of the index
    config.write_text(config.read_text().replace("hours: 9.0", f"hours: {hours}").replace("reserve_minutes: 30.0", "reserve_minutes: 0"))
    notebook.make_submission(input / "my-bundle", input, working, 0.0)
    skipped = json.loads((working / "run/descriptors/tiny/index/manifest.json").read_text())["skipped"]
    assert 0 < len(skipped) < len(read_tables(made[0] / "world").index_ids) and set(skipped.values()) == {time_limit.NO_TIME}
    found = rows(working / "submission.csv")
    assert len(found) == queries and not set(" ".join(found).split()) & set(skipped)
    described = {path: path.read_bytes() for path in (working / "run/descriptors/tiny/index").glob("*.npy")}
    notebook.make_submission(input / "my-bundle", input, working, -1e6)  # again, when no time is left at all
    assert len(described) > 1 and all(path.read_bytes() == rows for path, rows in described.items()), "what is described is kept"


def test_the_time_for_all_pairs_is_estimated_from_those_of_a_few_queries(made, monkeypatch):
    asked = []

    class Counting:
        def inliers(self, of, among, query, index):
            asked.append((query, index))
            clock[0] += 0.5 * len(query)

    clock = [0.0]
    monkeypatch.setattr(notebook, "open_context", lambda config: Counting())
    monkeypatch.setattr(notebook.time, "perf_counter", lambda: clock[0])
    config = load_config(made[0] / "c.yaml", made[1][2:])
    lists = read_ranking(config.run.folder / "rankings" / "knn").indices[:, :20]
    assert notebook._pairs_seconds(config) == pytest.approx(0.5 * (lists >= 0).sum())
    assert [len(query) for query, _ in asked] == [20, 20 * notebook.TRIAL]
    for query, index in asked:
        assert all(image in lists[row] for row, image in zip(query, index)), "each image is in its query's list"


def test_verification_that_turns_out_slow_is_dropped(made, tmp_path, monkeypatch, capsys):
    input, working = lay_out(made, tmp_path, queries=12)
    monkeypatch.setattr(notebook, "_pairs_seconds", lambda config: 1e9)
    notebook.make_submission(input / "my-bundle", input, working, notebook.time.time())
    assert "verification is dropped: it would take" in capsys.readouterr().out
    assert not list((working / "run" / "rankings").glob("*verify*"))


def test_no_competition(tmp_path):
    with pytest.raises(UserError, match="no folder with photos"):
        notebook._competition(Path(tmp_path))
