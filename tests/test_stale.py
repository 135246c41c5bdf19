"""A stage that is run alone never takes what was made from other tables, descriptors or models for today's."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.search.rankings import read_ranking
from landmarks.store.artefact import Artefact, fingerprint_of_file
from landmarks.store.descriptors import seal_shards, write_shard
from landmarks.store.tables import read_tables, require_positions

COUNTS = {"train": 30, "index": 40, "test": 6}
RUN = ["search", "rerank", "submit", "evaluate", "report", "recognize", "ablate", "overlap"]
TABLES = {"test": "test.csv", "index": "index.csv", "train": "train.csv"}


def vectors(split, count):
    """Of five landmarks; those of more images begin like those of fewer."""
    centres = np.random.default_rng(0).standard_normal((5, 8))
    noise = np.random.default_rng(len(split)).standard_normal((100, 8))
    return (centres[np.arange(count) % 5] + 0.5 * noise[:count]).astype(np.float32)


def write_tables(folder, counts=COUNTS, prefix=""):
    folder.mkdir(exist_ok=True)
    for split, count in counts.items():
        rows = [f"{prefix if split == 'train' else ''}{split}{n}" + (f",{n % 5}" if split == "train" else "") for n in range(count)]
        (folder / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")
        np.save(folder / f"{split}.npy", vectors(split, count))


def describe(root, *splits):
    """descriptors/tiny/<split> as `extract` makes them, of the tables that are there."""
    tables = read_tables(root / "data")
    made_by = json.loads((root / "out/models/tiny/manifest.json").read_text())["fingerprint"]
    for split in splits or COUNTS:
        inputs = {"model": made_by, "table": fingerprint_of_file(tables.path(split))}
        one = Artefact(root / "out/descriptors/tiny" / split, "extract", {"longest_side": 64, "scales": [1.0]}, inputs)
        one.begin()
        write_shard(one.folder, 0, vectors(split, len(tables.ids(split))), {})
        seal_shards(one.folder, tables.ids(split))
        one.finish(dimensions=8, skipped={})


def train_model(root, seed):
    model = Artefact(root / "out/models/tiny", "train", {"seed": seed}, {"train.csv": fingerprint_of_file(root / "data/train.csv")})
    model.begin()
    model.finish(images=30, classes=5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """kind -> a folder with data/, a finished run over it in out/, and c.yaml. arrays: the user's own; models: described by one."""
    made = {}
    for kind in ("arrays", "models"):
        root = made[kind] = tmp_path_factory.mktemp(kind)
        write_tables(root / "data")
        images = [" ".join(f"index{i}" for i in range(n % 5, 40, 5)) for n in range(6)]
        lines = [f"test{n},{images[n]},{'Public' if n % 2 else 'Private'}" for n in range(6)]
        (root / "data/retrieval_solution.csv").write_text("\n".join(["id,images,Usage", *lines]) + "\n")
        text = "dataset: {folder: data}\nrerank: [sort, insert]\nrun: {folder: out, device: cpu}\nsearch: {neighbours: 20}\n"
        if kind == "models":
            text += "models: {tiny: {backbone: test_resnet, pretrained: false, dimensions: 8}}\n"
            train_model(root, 0)
            describe(root)
        (root / "c.yaml").write_text(text)
    return made


@pytest.fixture
def run(request, finished, tmp_path, monkeypatch, capsys):
    """run.root, and run(stage, ...) -> exit code, standard output and standard error."""
    monkeypatch.chdir(finished[request.param])
    if not (finished[request.param] / "out/metrics.json").is_file():
        for stage in RUN:
            assert main([stage, "--config", "c.yaml", "ablate.samples=100"]) == 0
    root = tmp_path / "root"
    shutil.copytree(finished[request.param], root)
    (root / "out/config.yaml").unlink()  # which names the folder that was copied
    monkeypatch.chdir(root)

    def call(*words):
        capsys.readouterr()
        code = main([words[0], "--config", "c.yaml", *words[1:], "ablate.samples=100"])
        return code, *capsys.readouterr()

    call.root, call.kind = root, request.param
    return call


def change(root, table):
    """Tables, and arrays of one's own, of one more query, one more index image, or a train of other images."""
    counts = COUNTS | ({} if table == "train" else {table: COUNTS[table] + 1})
    write_tables(root / "data", counts, "other" if table == "train" else "")


both = pytest.mark.parametrize("run", ["arrays", "models"], indirect=True)


@both
def test_where_nothing_changed_everything_is_up_to_date(run):
    before = {path: path.stat().st_mtime_ns for path in run.root.glob("out/**/manifest.json")}
    for stage in RUN:
        code, out, err = run(stage)
        assert code == 0, err
        assert "up to date" in out or stage in ("submit", "evaluate", "ablate")
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {path for path in before if before[path] != after[path]} <= {run.root / "out/report/manifest.json"}


@both
@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize("stage", RUN)
def test_no_stage_answers_from_an_older_table(run, stage, table):
    change(run.root, table)
    if run.kind == "arrays" and stage in ("search", "overlap"):  # these read the arrays themselves, and make it again
        code, out, err = run(stage)
        assert code == 0 and f"{stage}: up to date" not in out.splitlines(), err
        return
    submission = (run.root / "out/submission.csv").read_bytes()
    code, out, err = run(stage)
    assert code == 2 and "up to date" not in out and "valid" not in out, (out, err)
    assert TABLES[table] in err
    command = f"./run.sh {'search' if run.kind == 'arrays' else 'extract'} --config c.yaml"
    assert command in err.splitlines()[-1].removeprefix("  next:  ")
    assert (run.root / "out/submission.csv").read_bytes() == submission


@both
def test_an_added_query_is_searched_once_its_stages_were_run_again(run):
    change(run.root, "test")
    if run.kind == "models":
        describe(run.root, "test")
        for stage in ("rerank", "submit", "evaluate", "report"):
            code, _, err = run(stage)
            assert code == 2 and "./run.sh search" in err
    assert run("search")[0] == 0
    for stage in ("submit", "evaluate", "report"):
        code, _, err = run(stage)
        assert code == 2 and "./run.sh rerank" in err, err
    assert run("rerank")[0] == run("submit")[0] == 0
    code, _, err = run("report")
    assert code == 2 and "./run.sh evaluate" in err
    assert run("evaluate")[0] == run("report")[0] == 0
    rows = pd.read_csv(run.root / "out/submission.csv", keep_default_na=False)
    assert rows["id"].tolist() == [f"test{n}" for n in range(7)] and rows["images"].str.split().str.len().eq(20).all()


@both
def test_an_added_index_image_is_found(run):
    change(run.root, "index")
    if run.kind == "models":
        describe(run.root, "index")
    for stage in ("search", "rerank", "submit"):
        assert run(stage)[0] == 0
    assert "index40" in read_ranking(run.root / "out/rankings/sort+insert").index_ids


@both
def test_labels_of_another_train_are_its_own(run):
    change(run.root, "train")
    if run.kind == "models":
        describe(run.root, "train")
    for stage in ("search", "rerank"):
        assert run(stage)[0] == 0
    ids = pd.read_csv(run.root / "out/space/train/ids.csv")["id"].tolist()
    assert ids == [f"othertrain{n}" for n in range(30)]


@pytest.mark.parametrize("run", ["models"], indirect=True)
@pytest.mark.parametrize("stage", RUN)
def test_descriptors_of_a_model_that_was_trained_again_are_refused(run, stage):
    train_model(run.root, 1)
    code, out, err = run(stage)
    assert code == 2 and "another model" in err and "./run.sh extract --config c.yaml" in err and "up to date" not in out


@pytest.mark.parametrize("run", ["models"], indirect=True)
@pytest.mark.parametrize("stage", ["extract", "bundle"])
def test_a_model_of_another_train_table_is_not_used(run, stage):
    change(run.root, "train")
    code, _, err = run(stage)
    assert code == 2 and "trained on another train.csv" in err and "./run.sh train --config c.yaml" in err


@pytest.mark.parametrize("run", ["arrays"], indirect=True)
def test_changed_arrays_are_searched_again(run):
    np.save(run.root / "data/test.npy", vectors("test", 6)[::-1])
    for stage in ("rerank", "submit", "evaluate", "report"):
        code, _, err = run(stage)
        assert code == 2 and "./run.sh search" in err
    assert run("search")[0] == run("rerank")[0] == run("submit")[0] == 0


@both
def test_what_was_deleted_since_is_not_asked_for(run):
    shutil.rmtree(run.root / "out/descriptors", ignore_errors=True)
    for stage in ("rerank", "submit", "evaluate", "report"):
        code, _, err = run(stage)
        assert code == 0, err
    shutil.rmtree(run.root / "out/space")
    for stage in ("submit", "evaluate", "report"):
        code, _, err = run(stage)
        assert code == 0, err
    change(run.root, "test")
    for stage in ("submit", "evaluate", "report"):
        code, _, err = run(stage)
        assert code == 2 and "test.csv" in err and "./run.sh search" in err


@both
def test_a_ranking_without_a_query_is_not_submitted(run):
    folder = run.root / "out/rankings/sort+insert"
    for name in ("indices", "scores"):
        np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy")[1:])
    ids = (folder / "query_ids.csv").read_text().splitlines()
    (folder / "query_ids.csv").write_text("\n".join([ids[0], *ids[2:]]) + "\n")
    assert main(["adopt", str(folder)]) == 0
    for stage in ("submit", "evaluate"):
        code, out, err = run(stage)
        assert code == 2 and "no row for the query 'test0'" in err and "valid" not in out


@both
def test_an_overlap_of_other_tables_is_not_reported(run):
    assert run("evaluate")[0] == 0
    assert "in the training set" in json.loads((run.root / "out/metrics.json").read_text())["choices"]["overlap"]
    change(run.root, "test")
    if run.kind == "models":
        describe(run.root, "test")
    for stage in ("search", "rerank", "evaluate"):
        assert run(stage)[0] == 0
    assert json.loads((run.root / "out/metrics.json").read_text())["choices"]["overlap"] == "not measured"


@pytest.mark.parametrize("run", ["models"], indirect=True)
def test_distractors_of_another_table_are_refused(run):
    other = run.root / "others"
    (other / "data").mkdir(parents=True)
    ids = [f"other{n}" for n in range(40)]
    (other / "data/index.csv").write_text("\n".join(["id", *ids]) + "\n")
    described = Artefact(
        other / "descriptors/tiny/index",
        "extract",
        {"longest_side": 64, "scales": [1.0]},
        {"table": fingerprint_of_file(other / "data/index.csv")},
    )
    described.begin()
    write_shard(described.folder, 0, vectors("index", 40), {})
    seal_shards(described.folder, np.array(ids, object))
    described.finish(dimensions=8, skipped={})
    (other / "config.yaml").write_text(f"version: 1\ndataset: {{folder: {other / 'data'}}}\n")
    words = [f"dataset.distractors={other}", f"run.folder={run.root / 'out'}", "run.overwrite=true"]
    code, _, err = run("search", *words)
    assert code == 0, err
    (other / "data/index.csv").write_text("\n".join(["id", *ids, "one_more"]) + "\n")
    for stage in ("search", "rerank", "submit"):
        code, _, err = run(stage, *words)
        assert code == 2 and "another index.csv" in err and f"./run.sh extract {other}" in err


def photos(folder):
    random = np.random.default_rng(0)
    for landmark in range(4):
        for number in range(6):
            path = folder / f"place {landmark}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("changed", ["photos.seed=3", "photos.test_share=0.3", "a photo"])
def test_the_dataset_under_a_run_is_not_replaced_unasked(tmp_path, monkeypatch, capsys, changed):
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "photos")
    (tmp_path / "c.yaml").write_text("dataset: {source: photos, folder: photos}\nrun: {folder: out, device: cpu}\n")
    assert main(["import", "--config", "c.yaml"]) == 0
    Artefact(tmp_path / "out/space/test", "search", {}, {}).begin()
    before = {path: path.read_bytes() for path in (tmp_path / "out/dataset").glob("*.csv")}
    if changed == "a photo":
        shutil.copy(tmp_path / "photos/place 0/0.jpg", tmp_path / "photos/place 1/new.jpg")
    words = ["--config", "c.yaml", *([] if changed == "a photo" else [changed])]
    assert main(["import", *words]) == 2
    error = capsys.readouterr().err
    assert "run.folder=ANOTHER" in error and "run.overwrite=true" in error and (changed == "a photo" or "->" in error)
    assert {path: path.read_bytes() for path in before} == before
    assert main(["import", *words, "run.overwrite=true"]) == 0
    assert {path: path.read_bytes() for path in before} != before


def test_another_sample_does_not_replace_the_one_that_is_there(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("dataset: {source: sample}\nsample: {landmarks: 4, longest_side: 64}\n")
    words = ["sample", "--config", str(tmp_path / "c.yaml"), f"dataset.folder={tmp_path / 'world'}"]
    finished = Artefact(tmp_path / "world", "sample", {"landmarks": 4, "longest_side": 64, "seed": 0, "world": 1, "tables": 2}, {})
    finished.begin()
    finished.finish()
    assert main(words) == 0 and "up to date" in capsys.readouterr().out
    assert main([*words, "sample.seed=1"]) == 2
    error = capsys.readouterr().err
    assert "seed 0 -> 1" in error and "dataset.folder=ANOTHER" in error


def test_an_id_that_is_not_there_is_never_a_row(tmp_path):
    with pytest.raises(UserError, match="1 of 2 ids are not there, first 'c'"):
        require_positions(["a", "c"], np.array(["a", "b"], object), "here", "do this")
    assert require_positions(["b", "a"], np.array(["a", "b"], object), "here", "do this").tolist() == [1, 0]
    (tmp_path / "test.csv").write_text("id,path,left,top,right,bottom\na,a.jpg,0,0,5,5\nb,b.jpg,1,1,9,9\n")
    pictures = Pictures(tmp_path, "test")
    assert pictures.boxes(["b"]).tolist() == [[1, 1, 9, 9]]
    with pytest.raises(UserError, match="no box for 'c'"):
        pictures.boxes(["b", "c"])
