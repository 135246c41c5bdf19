"""The whole way, small: render, train, extract, search, re-rank, submit, score, report, by one command."""

import json
import shutil

import pandas as pd
import pytest

from landmarks import pipeline
from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.pipeline import stages_of
from landmarks.store.tables import read_tables

TINY = [
    "sample.landmarks=6",
    "sample.longest_side=64",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16}}",
    "train={epochs: 1, image_size: 64, batch_size: 8, workers: 0}",
    "extract={longest_side: 64, scales: [1.0], workers: 0}",
]


def run(folder, *overrides, stage="run"):
    config = folder / "config.yaml"
    config.write_text("dataset: {source: sample}\nrerank: [{step: sort}, {step: insert}]\n")
    return main([stage, "--config", str(config), f"dataset.folder={folder / 'world'}", f"run.folder={folder / 'out'}", *TINY, *overrides])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder) == 0
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished run to break, reached by the same relative names."""
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def test_everything_is_there(finished):
    out = finished / "out"
    assert pd.read_csv(out / "ablation.csv")["chain"].tolist() == ["knn", "sort", "sort+insert"]
    for file in (
        "models/tiny/model.safetensors",
        "descriptors/tiny/index/00000.npy",
        "submission.csv",
        "per_query.csv",
        "report/index.html",
    ):
        assert (out / file).is_file(), file
    assert {"exterior", "not in train"} <= set(json.loads((out / "metrics.json").read_text())["groups"])


def test_a_second_run_finds_everything_up_to_date(finished, capsys):
    made = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.suffix in {".npy", ".jpg", ".safetensors"}}
    capsys.readouterr()
    assert run(finished) == 0
    said = capsys.readouterr().out
    for stage in ("sample", "train tiny", "search", "rerank"):
        assert f"{stage}: up to date" in said
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_the_built_in_world_shows_recognition_too(finished):
    assert run(finished, stage="recognize") == 0
    scores = json.loads((finished / "out/recognition/metrics.json").read_text())
    solution = pd.read_csv(finished / "world/recognition_solution.csv", dtype=str, keep_default_na=False)
    groups = pd.read_csv(finished / "world/query_groups.csv", dtype=str).set_index("id")["group"]
    shows_none = solution["landmarks"] == ""
    group = solution["id"].map(groups)
    assert (shows_none == (group.isna() | (group == "not in train"))).all() and set(solution["Usage"]) == {"Public", "Private"}
    trained = set(pd.read_csv(finished / "world/train.csv", dtype=str)["landmark_id"])
    assert set(solution.loc[~shows_none, "landmarks"]) <= trained
    assert scores["queries"]["of them distractors"] == shows_none.sum() > 0
    numbers = scores["chains"]["sort+insert"]
    assert 0 < numbers["gap_private"] <= numbers["gap_private_without_distractors"] <= numbers["accuracy_private"]


def test_another_training_setting_does_not_replace_the_model_unasked(finished, capsys):
    before = (finished / "out/models/tiny/model.safetensors").stat().st_mtime_ns
    assert run(finished, "train.epochs=2") == 2
    error = capsys.readouterr().err
    assert "settings.train.epochs 1 -> 2" in error and "run.overwrite=true" in error
    assert (finished / "out/models/tiny/model.safetensors").stat().st_mtime_ns == before


def test_a_truncated_jpeg_stops_the_run_with_its_path_and_can_be_skipped(finished, tmp_path, capsys):
    shutil.copytree(finished / "world", tmp_path / "world")
    tables = read_tables(tmp_path / "world")
    bad = image_path(tmp_path / "world", "index", tables.index_ids[3])
    bad.write_bytes(bad.read_bytes()[:400])
    assert run(tmp_path) == 2
    assert str(bad) in capsys.readouterr().err
    assert (tmp_path / "out/models/tiny/model.safetensors").is_file(), "what was finished before is kept"
    assert run(tmp_path, "extract.on_error=skip") == 0, "the advice that was given"
    skipped = json.loads((tmp_path / "out/descriptors/tiny/index/manifest.json").read_text())["skipped"]
    assert list(skipped) == [tables.index_ids[3]]
    assert tables.index_ids[3] not in (tmp_path / "out/submission.csv").read_text()
    capsys.readouterr()
    assert run(tmp_path) == 2, "stop does not accept what skip left out"
    shutil.copy(image_path(finished / "world", "index", tables.index_ids[3]), bad)
    assert run(tmp_path) == 0
    assert (tmp_path / "out/submission.csv").read_text() == (finished / "out/submission.csv").read_text()


def test_two_processes_give_the_same_submission_from_the_same_model(copy, finished):
    """extract.shard_images is part of the recipe, so both runs use small shards; the launched one shares them out."""
    small = "extract.shard_images=7"
    assert run(copy, small, "run.overwrite=true") == 0
    one = (copy / "out/submission.csv").read_text()
    shutil.rmtree(copy / "out/descriptors")
    assert run(copy, small, "run.processes=2", "run.device=cpu") == 0
    assert (copy / "out/submission.csv").read_text() == one


def test_a_missing_picture_is_named_before_the_work_starts(copy, capsys):
    tables = read_tables(copy / "world")
    image_path(copy / "world", "train", tables.train.ids[0]).unlink()
    assert run(copy, "run.overwrite=true", "train.epochs=2", stage="train") == 2
    assert f"1 of {len(tables.train.ids)} train images are missing" in capsys.readouterr().err


TABLES = {
    "folder": [],
    "sample": ["sample"],
    "photos": ["import"],
    "revisited": ["prepare"],
    "places": ["prepare"],
    "msls": ["prepare"],
    "pictures": ["prepare"],
}


@pytest.mark.parametrize("protocol", ["retrieval", "revisited", "places", "recognition"])
@pytest.mark.parametrize("source", TABLES)
def test_stages_follow_from_the_source_and_the_protocol(source, protocol):
    config = load_config(None, [f"dataset.source={source}", f"evaluate.protocol={protocol}", "models.a={}"])
    described = [*TABLES[source], "train", "extract"]
    if source == "pictures":
        assert stages_of(config) == described, "they have no queries"
        return
    scored = ["recognize"] if protocol == "recognition" else ["evaluate", "report"]
    if protocol != "recognition" and source in ("folder", "sample", "photos"):
        scored = ["submit", *scored]
    assert stages_of(config) == [*described, "search", "rerank", *scored]


def test_stages_follow_from_models_verification_download_and_a_file_to_score():
    own = load_config(None, ["rerank=sort"])
    assert stages_of(own) == ["search", "rerank", "submit", "evaluate", "report"]
    verifying = load_config(None, ["models.a.local={}", "rerank=sort,verify"])
    assert stages_of(verifying)[:5] == ["train", "extract", "search", "extract-local", "rerank"]
    fetched = load_config(None, ["download.gldv2=[index]"])
    assert stages_of(fetched)[:2] == ["download", "search"]
    assert stages_of(load_config(None, ["download.gldv2=[index]", "dataset.source=photos"]))[:2] == ["import", "search"]
    assert stages_of(load_config(None, ["dataset.source=photos", "evaluate.submission=mine.csv"])) == ["evaluate"]


def test_a_stage_is_given_its_options_and_is_launched_where_there_are_several_processes(monkeypatch):
    seen = []
    monkeypatch.setattr(pipeline, "launch", lambda *given: seen.append(given))
    for function in ("landmarks.pipeline.run_all", "landmarks.stages.submit.submit"):
        monkeypatch.setattr(function, lambda config, **options: (config, options))
    config = load_config(None, ["run.processes=3", "run.device=cpu"])
    assert pipeline.run_stage("run", config, ("--config", "x")) == (config, {"command": ["--config", "x"]})
    assert pipeline.run_stage("submit", config, ("--config", "x"), yes=True) == (config, {"yes": True})
    assert pipeline.run_stage("train", config, ("--config", "x")) is None and seen == [("train", ("--config", "x"), 3, config.run)]
