"""What goes into a notebook's bundle, without fetching wheels; the notebook itself is run in tests/notebook."""

import json
import sys
from pathlib import Path

import pytest

import landmarks
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages import bundle as module
from landmarks.stages.bundle import bundle
from landmarks.store import disk
from landmarks.store.artefact import Artefact, read_manifest


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*overrides): the bundle of a model "tiny" that is trained and has described train, by manifests and one file each."""
    monkeypatch.setattr(module, "fetch_wheels", lambda folder, settings: ["some.whl"])
    data = tmp_path / "data"
    data.mkdir()
    (data / "train_clean.csv").write_text("landmark_id,images\n7,a b\n")
    for part in ("models/tiny", "descriptors/tiny/train"):
        made = Artefact(tmp_path / "run" / part, "any", {}, {})
        made.begin()
        (made.folder / "file.bin").write_bytes(part.encode())
        made.finish()
    fixed = [f"dataset.folder={data}", "dataset.train_table=train_clean.csv", f"run.folder={tmp_path / 'run'}"]
    return lambda *overrides: bundle(load_config(None, [*fixed, "models.tiny.recipe={epochs: 9}", *overrides]))


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "code" not in path.parts}


BASE = {"bundle.json", "config.yaml", "dataset/train.csv", "manifest.json", "models/tiny/file.bin", "models/tiny/manifest.json"}
BASE |= {"models/tiny/recipe.json", "notebook.ipynb", "recipe.json"}
OF_TRAIN = {f"descriptors/tiny/train/{name}" for name in ("file.bin", "manifest.json", "recipe.json")}


@pytest.mark.parametrize(
    ("settings", "described"), [([], False), (["rerank=expand_query"], True), (["whiten={dimensions: 8, learned_on: train}"], True)]
)
def test_train_s_descriptors_are_taken_where_something_learns_from_them(run, tmp_path, settings, described):
    folder = run(*settings)
    assert folder == tmp_path / "run" / "bundle" and names(folder) == BASE | (OF_TRAIN if described else set())
    assert (folder / "dataset" / "train.csv").read_text() == "landmark_id,images\n7,a b\n"
    assert json.loads((folder / "bundle.json").read_text()) == {
        "models": ["tiny"],
        "wheels": ["some.whl"],
        "version": landmarks.__version__,
    }
    code = folder / "code" / "landmarks"
    assert (code / "stages" / "bundle.py").read_bytes() == Path(module.__file__).read_bytes()
    assert not list(code.rglob("__pycache__")) and (code / "store" / "published.csv").is_file()


def test_what_a_kill_left_half_written_is_not_uploaded(run, tmp_path):
    for name in (".00000.npy.somewhere.1.part", ".lock"):
        (tmp_path / "run" / "models" / "tiny" / name).write_text("half")
    assert names(run()) == BASE


def test_the_notebook_s_configuration_has_folders_of_its_own_and_no_training(run):
    folder = run("rerank=[{step: sort, neighbours: 5}]", "extract.scales=[0.5]", "train.epochs=3", "search.neighbours=7")
    text = (folder / "config.yaml").read_text()
    assert not any(f"\n{section}:" in text for section in ("train", "run", "download", "evaluate", "photos"))
    config = load_config(folder / "config.yaml")
    assert (config.dataset.source, config.dataset.train_table, config.extract.on_error) == ("folder", "train.csv", "skip")
    assert (config.rerank[0].neighbours, config.extract.scales, config.search.neighbours) == (5, (0.5,), 7)
    assert config.models["tiny"].recipe == {} and config.train.epochs != 3


def test_it_is_made_once_until_a_part_is_another(run, tmp_path, capsys):
    folder = run("rerank=sort")
    before = read_manifest(folder)["fingerprint"]
    capsys.readouterr()
    run("rerank=sort")
    assert "bundle: up to date" in capsys.readouterr().out
    (tmp_path / "data" / "train_clean.csv").write_text("landmark_id,images\n8,a b\n")
    run("rerank=sort")
    assert read_manifest(folder)["fingerprint"] != before and "8,a b" in (folder / "dataset" / "train.csv").read_text()
    run()
    assert not (folder / "descriptors").exists(), "of the earlier one nothing is left"


def test_a_step_from_outside_comes_along(run, tmp_path, monkeypatch):
    (tmp_path / "bundled_step.py").write_text(
        "from landmarks.config import Step\n\n\nclass Same(Step):\n    def apply(self, ranking, context):\n        return ranking\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        folder = run("rerank=bundled_step:Same")
        assert (folder / "code" / "bundled_step.py").read_text() == (tmp_path / "bundled_step.py").read_text()
        assert "step/bundled_step.py" in read_manifest(folder)["inputs"]
    finally:
        sys.modules.pop("bundled_step", None)


@pytest.mark.parametrize(
    ("settings", "message", "way_out"),
    [
        (["models={}"], "names no model", "--config FILE with models"),
        (["models.tiny.local={}", "rerank=verify,fuse"], "the step fuse learns from inliers of training photos", "put verify behind fuse"),
        (["models.other={}"], "not there, or not finished", "train"),
    ],
)
def test_what_a_notebook_could_not_run_is_refused(run, tmp_path, settings, message, way_out):
    with pytest.raises(UserError, match=message) as caught:
        run(*settings)
    assert way_out in caught.value.next and not (tmp_path / "run" / "bundle").exists()


def test_a_disk_that_is_too_small_leaves_no_bundle(run, tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 5)
    with pytest.raises(UserError, match="the bundle's weights and descriptors take up to"):
        run()
    assert names(tmp_path / "run" / "bundle") <= {"recipe.json", ".lock"}
