"""What a benchmark shares with the training set of another run, and that its score says so."""

import json

import pandas as pd

from landmarks.cli import main
from landmarks.datasets.images import image_path
from tests.protocols.conftest import MODEL, facade, save
from tests.protocols.test_revisited_path import run


def training_run(folder):
    """Four training photos, two of which the benchmark holds as well, described by the same model in a run of their own."""
    shown = {
        "train": {"r1": facade(1), "r2": facade(201), "r3": facade(102), "r4": facade(204)},
        "index": {"i": facade(90)},
        "test": {"t": facade(91)},
    }
    for split, pictures in shown.items():
        for id, pixels in pictures.items():
            save(image_path(folder / "data", split, id), pixels)
        rows = [f"{id},{50 + n // 2}" for n, id in enumerate(pictures)] if split == "train" else list(pictures)
        (folder / "data" / f"{split}.csv").write_text("\n".join(["id,landmark_id" if split == "train" else "id", *rows]) + "\n")
    (folder / "empty.yaml").write_text("{}\n")
    for stage in ("train", "extract"):
        settings = [f"dataset.folder={folder / 'data'}", f"run.folder={folder / 'trained'}", *MODEL]
        assert main([stage, "--config", str(folder / "empty.yaml"), *settings]) == 0
    return folder / "trained"


def test_copies_in_the_training_set_are_found_and_stand_beside_the_score(roxford, tmp_path):
    trained, out = training_run(tmp_path), tmp_path / "out"
    named = [f"overlap.train={trained}", f"overlap.train_table={tmp_path / 'data' / 'train.csv'}", "overlap.similarity=0.9999"]
    assert run(roxford, out, *named, stages=["prepare", "train", "extract", "search", "overlap", "evaluate"]) == 0
    pairs = pd.read_csv(out / "overlap/pairs.csv")
    found = set(zip(pairs["split"], pairs["id"], pairs["train_id"], strict=True))
    assert {("test", "college_000001", "r1"), ("index", "easy_1_000003", "r1"), ("index", "other_000002", "r3")} == found
    assert dict(zip(pairs["train_id"], pairs["landmark_id"], strict=True)) == {"r1": 50, "r3": 51}
    summary = json.loads((out / "overlap/summary.json").read_text())
    assert summary["landmarks_in_both"] == 2
    words = "1 of 3 test images and 2 of 18 index images are in the training set (cosine 0.9999)"
    assert json.loads((out / "metrics.json").read_text())["choices"]["overlap"] == words
    assert not (out / "overlap/scores.json").exists(), "a benchmark's chain has no labels to lose"
