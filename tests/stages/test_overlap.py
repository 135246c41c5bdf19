"""Near-duplicates planted between the training set and the evaluation set are found, and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.scoring.evaluation import choices
from landmarks.stages.evaluate import evaluate
from landmarks.stages.extract import extract
from landmarks.stages.overlap import overlap
from landmarks.stages.search import search
from landmarks.store.ledger import read_ledger

PLANTED = {"t000": 7, "t013": 8, "i004": 7, "i055": 31}  # evaluation image -> row of train that it is a copy of


@pytest.fixture
def settings(arrays, tmp_path):
    """The arrays with copies planted: four images that are, but for a little noise, training images."""
    rng = np.random.default_rng(5)
    train = np.load(arrays / "train.npy").astype(np.float32)
    for split in ("test", "index"):
        matrix = np.load(arrays / f"{split}.npy").astype(np.float32)
        for id, row in PLANTED.items():
            if id[0] == split[0]:
                matrix[int(id[1:])] = 3 * train[row] + 0.05 * rng.standard_normal(train.shape[1])
        np.save(arrays / f"{split}.npy", matrix)
    return [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'out'}", "rerank=[{step: sort}, {step: insert}]"]


def report(settings, *more):
    folder = overlap(load_config(None, [*settings, *more]))
    summary = json.loads((folder / "summary.json").read_text())
    return pd.read_csv(folder / "pairs.csv", dtype={"id": str, "landmark_id": str}), summary, folder


def test_planted_copies_are_found_and_nothing_else(settings):
    pairs, summary, folder = report(settings)
    found = list(zip(pairs["id"], pairs["train_id"], strict=True))
    assert found == [(id, f"r{row:03d}") for id, row in PLANTED.items()]
    assert pairs["split"].tolist() == ["test", "test", "index", "index"] and pairs["cosine"].between(0.99, 1).all()
    assert pairs["landmark_id"].tolist() == ["101", "102", "101", "101"]  # training image n shows 100 + n % 6
    assert summary["splits"] == {"test": {"images": 24, "in_train": 2}, "index": {"images": 90, "in_train": 2}}
    assert (summary["training_images"], summary["landmarks"], summary["landmarks_in_both"]) == (3, 6, 2)
    kept = pd.read_csv(folder / "train_without_overlap.csv")
    assert kept["landmark_id"].tolist() == [100, 103, 104, 105]
    assert sorted(" ".join(kept["images"]).split()) == [f"r{n:03d}" for n in range(60) if n % 6 not in (1, 2)]


def test_every_pair_above_the_limit_is_listed_as_by_hand(settings, arrays):
    pairs, _, _ = report(settings, "overlap.similarity=0.62", "overlap.neighbours=60", "overlap.splits=[index]", "whiten.dimensions=4")
    unit = {split: np.load(arrays / f"{split}.npy").astype(np.float32) for split in ("train", "index")}
    unit = {split: rows / np.linalg.norm(rows, axis=1, keepdims=True) for split, rows in unit.items()}
    cosines = unit["index"] @ unit["train"].T
    assert np.abs(cosines - 0.62).min() > 1e-4, "no pair so close to the limit that rounding decides"
    expected = {(f"i{image:03d}", f"r{row:03d}") for image, row in zip(*np.nonzero(cosines >= 0.62), strict=True)}
    assert set(zip(pairs["id"], pairs["train_id"], strict=True)) == expected and len(expected) > 20
    few, _, _ = report(settings, "overlap.similarity=0.62", "overlap.neighbours=1", "overlap.splits=[index]")
    assert few["id"].is_unique and set(few["id"]) == set(pairs["id"])


def test_the_score_without_the_landmarks_that_overlap(settings, tmp_path, capsys):
    search(load_config(None, settings))
    report(settings)
    scores = json.loads((tmp_path / "out/overlap/scores.json").read_text())
    assert list(scores["chains"]) == ["knn", "sort", "sort+insert"]
    assert scores["chains"]["knn"]["all"] == scores["chains"]["knn"]["without"], "the first search asks for no labels"
    assert scores["chains"]["sort"]["all"] != scores["chains"]["sort"]["without"]
    # By hand: the same run on a dataset that never had those training images.
    table = pd.read_csv(tmp_path / "arrays/train.csv")
    stays = ~table["landmark_id"].isin([101, 102])
    table[stays].to_csv(tmp_path / "arrays/train.csv", index=False)
    np.save(tmp_path / "arrays/train.npy", np.load(tmp_path / "arrays/train.npy")[stays])
    other = load_config(None, [*settings, f"run.folder={tmp_path / 'other'}", "overlap.score=false"])
    search(other)
    assert main(["rerank", "--config", str(empty(tmp_path)), *settings, f"run.folder={tmp_path / 'other'}"]) == 0
    evaluate(other)
    metrics = json.loads((tmp_path / "other/metrics.json").read_text())["chains"]
    for chain, numbers in scores["chains"].items():
        assert numbers["without"]["map_private"] == metrics[chain]["map_private"]
        assert numbers["without"]["map_public"] == metrics[chain]["map_public"]
    assert "2 of 6 landmarks taken from the labels" in capsys.readouterr().out
    ledger = read_ledger(tmp_path / "results.csv")
    assert ledger["choices"].str.contains("overlap: 2 of 6 landmarks taken from the labels").sum() == 2


def empty(folder):
    (folder / "c.yaml").write_text("{}\n")
    return folder / "c.yaml"


def test_what_was_found_stands_beside_every_score_from_then_on(settings):
    config = load_config(None, [*settings, "overlap.score=false"])
    assert choices(config)["overlap"] == "not measured"
    overlap(config)
    assert choices(config)["overlap"] == "2 of 24 test images and 2 of 90 index images are in the training set (cosine 0.95)"


def test_up_to_date_until_a_setting_or_a_descriptor_changes(settings, arrays, capsys):
    _, _, folder = report(settings, "overlap.score=false")
    report(settings, "overlap.score=false")
    assert "overlap: up to date" in capsys.readouterr().out
    matrix = np.load(arrays / "index.npy")
    matrix[4] = -matrix[4]
    np.save(arrays / "index.npy", matrix)
    assert report(settings, "overlap.score=false")[0]["id"].tolist() == ["t000", "t013", "i055"]


def test_no_overlap_is_an_empty_table_and_nothing_to_compare(settings, capsys):
    report(settings, "evaluate.protocol=recognition")
    assert "recognition cannot name a landmark" in capsys.readouterr().out
    pairs, summary, folder = report(settings, "overlap.similarity=1")
    assert len(pairs) == 0 and summary["landmarks_in_both"] == 0 and "no landmark overlaps" in capsys.readouterr().out
    assert len(pd.read_csv(folder / "train_without_overlap.csv")) == 6


def test_the_training_set_may_lie_elsewhere(settings, arrays, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("train.csv", "train.npy"):
        (arrays / name).rename(elsewhere / name)
    (arrays / "train.csv").write_text("id,landmark_id\n")
    np.save(arrays / "train.npy", np.zeros((0, 16), np.float16))
    pairs, summary, _ = report(settings, f"overlap.train={elsewhere}")
    assert pairs["id"].tolist() == list(PLANTED) and summary["landmarks_in_both"] == 2


def test_users_mistakes_exit_with_2(settings, tmp_path, capsys):
    command = ["overlap", "--config", str(empty(tmp_path)), *settings]
    for wrong, message in [
        (f"overlap.train={tmp_path}", "missing table"),
        ("overlap.verify=true", "no model has a local branch"),
        (f"overlap.train_table={tmp_path / 'none.csv'}", "missing file"),
        ("overlap.splits=[train]", "overlap.splits"),
    ]:
        assert main([*command, wrong]) == 2, wrong
        assert message in capsys.readouterr().err
    assert main(command) == 0 and " comes first" in (said := capsys.readouterr().out) and "./run.sh search" in said


def photo(seed, shift=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
    return picture.crop((shift, shift, shift + 128, shift + 128))


def test_local_features_confirm_copies_and_refuse_look_alikes(delg_run, tmp_path, capsys):
    """The descriptors of an untrained model find everything alike; the inliers do not. A second run may hold the training set."""
    photos = {
        "train": {"r1": photo(1), "r2": photo(2)},
        "index": {"i1": photo(1, 16), "i3": photo(3)},
        "test": {"t2": photo(2, 16), "t4": photo(4)},
    }
    settings = [*delg_run(photos, {"r1": 10, "r2": 20}), "overlap={similarity: -1, min_inliers: 10, score: false}"]
    extract(load_config(None, settings))
    assert len(report(settings)[0]) == 8 and "started from" not in capsys.readouterr().out
    [manifest] = (tmp_path / "run" / "models").glob("*/manifest.json")
    made = json.loads(manifest.read_text())
    made |= {"inputs": {**made["inputs"], "start_from": "0" * 16}, "start_from": "/runs/first/models/delg"}
    manifest.write_text(json.dumps(made))
    pairs, summary, _ = report(settings, "overlap.verify=true")
    assert "started from /runs/first/models/delg; the photos of that training were not compared" in capsys.readouterr().out
    assert list(zip(pairs["id"], pairs["train_id"], strict=True)) == [("t2", "r2"), ("i1", "r1")]
    assert pairs["inliers"].ge(10).all() and "10 inliers" in summary["words"]
    again, summary, folder = report(settings, f"overlap.train={tmp_path / 'run'}", "overlap.verify=true")
    assert again["id"].tolist() == ["t2", "i1"] and again["landmark_id"].isna().all(), "no table was named"
    assert "landmarks" not in summary and not (folder / "train_without_overlap.csv").exists()
