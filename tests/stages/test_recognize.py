"""From descriptors, or photos, to a recognition submission and its GAP."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages.evaluate import evaluate
from landmarks.stages.extract import extract
from landmarks.stages.recognize import recognize
from landmarks.stages.rerank import rerank
from landmarks.stages.search import search
from landmarks.store.ledger import read_ledger


@pytest.fixture
def ready(arrays, tmp_path):
    """Settings of a run that has searched; the last six queries show no landmark, the others what they are made of."""
    shown = [str(100 + n % 6) if n < 18 else "" for n in range(24)]
    usages = ["Private", "Public"] * 12
    pd.DataFrame({"id": [f"t{n:03d}" for n in range(24)], "landmarks": shown, "Usage": usages}).to_csv(
        arrays / "recognition_solution.csv", index=False
    )
    settings = [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'out'}", "rerank=[{step: sort}]"]
    search(load_config(None, settings))
    rerank(load_config(None, settings))
    return settings


def predicted(settings, *more):
    path = recognize(load_config(None, [*settings, *more]))
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")["landmarks"]
    return {id: (int(text.split()[0]), float(text.split()[1])) if text else None for id, text in table.items()}


def vote_by_hand(arrays, query, neighbours, skip=()):
    """The label of the largest sum of cosines among the nearest training images, and that sum over their number."""
    unit = {split: np.load(arrays / f"{split}.npy").astype(np.float32) for split in ("train", "test")}
    unit = {
        split: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16).astype(np.float32) for split, rows in unit.items()
    }
    labels = pd.read_csv(arrays / "train.csv")["landmark_id"].to_numpy()
    cosines = unit["train"] @ unit["test"][query]
    cosines[np.isin(labels, skip)] = -np.inf
    nearest = np.argsort(-cosines, kind="stable")[:neighbours]
    sums = {label: cosines[nearest[labels[nearest] == label]].sum() for label in labels[nearest]}
    best = max(sums, key=sums.get)
    return best, sums[best] / neighbours


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_the_nearest_training_images_vote(ready, arrays, neighbours):
    found = predicted(ready, f"recognize.neighbours={neighbours}")
    assert list(found) == [f"t{n:03d}" for n in range(24)]
    for query, (label, confidence) in enumerate(found.values()):
        expected, score = vote_by_hand(arrays, query, neighbours)
        assert label == expected and confidence == pytest.approx(score, abs=1e-3)


def test_scores_and_a_table_of_every_query(ready, tmp_path, capsys):
    found = predicted(ready)
    results = json.loads((tmp_path / "out/recognition/metrics.json").read_text())
    assert results["queries"] == {"private": 12, "public": 12, "of them distractors": 6}
    scores = results["chains"]["sort"]
    table = pd.read_csv(tmp_path / "out/recognition/per_query.csv", dtype={"landmarks": str})
    assert table["confidence"].is_monotonic_decreasing and len(table) == 24
    right = [found[id][0] == 100 + int(id[1:]) % 6 and int(id[1:]) < 18 for id in table["id"]]
    assert table["correct"].astype(bool).tolist() == right
    private = table[table["usage"] == "Private"]
    gap = sum(private["correct"][: n + 1].mean() * correct for n, correct in enumerate(private["correct"])) / 9
    assert scores["gap_private"] == pytest.approx(100 * gap, abs=1e-3)
    assert scores["accuracy_private"] == pytest.approx(100 * private["correct"].sum() / 9, abs=1e-3)
    assert "recognition, in percent (queries: 12 private, 12 public, 6 of them distractors)" in capsys.readouterr().out
    ledger = read_ledger(tmp_path / "results.csv")
    assert ledger["protocol"].tolist() == ["recognition"]
    assert "votes: 3 nearest training images by cosine; demoted: more than 30 queries" in ledger["choices"][0]
    assert not (tmp_path / "out/metrics.json").exists(), "retrieval's scores are others"


def test_evaluate_scores_them_again_and_any_other_submission(ready, arrays, tmp_path, capsys):
    recognition = [*ready, "evaluate.protocol=recognition"]
    path = recognize(load_config(None, ready))
    scores = json.loads((path.parent / "metrics.json").read_text())
    (path.parent / "metrics.json").unlink()
    assert evaluate(load_config(None, recognition)) == path.parent
    assert json.loads((path.parent / "metrics.json").read_text()) == scores
    with pytest.raises(UserError, match="made with other settings"):
        evaluate(load_config(None, [*recognition, "recognize.neighbours=2"]))
    other = tmp_path / "other.csv"
    other.write_text("id,landmarks\n" + "".join(f"t{n:03d},{100 + n % 6} {0.9 - n / 100}\n" for n in range(24)))
    capsys.readouterr()
    evaluate(load_config(None, [*recognition, f"evaluate.submission={other}"]))
    assert "gap_private 100.00, gap_public 100.00" in capsys.readouterr().out
    (arrays / "recognition_solution.csv").unlink()
    evaluate(load_config(None, [*recognition, f"evaluate.submission={other}"]))
    assert f"{other} is valid" in capsys.readouterr().out


def test_the_whole_way_with_no_chain_at_all(ready, arrays, tmp_path):
    (tmp_path / "c.yaml").write_text("{evaluate: {protocol: recognition}}\n")
    assert main(["run", "--config", str(tmp_path / "c.yaml"), f"dataset.folder={arrays}", f"run.folder={tmp_path / 'whole'}"]) == 0
    table = pd.read_csv(tmp_path / "whole/recognition/ablation.csv")
    assert table["chain"].tolist() == ["knn"] and table["gap_private"].between(1, 100).all()


def test_what_is_up_to_date_is_left_alone_and_scored_anew(ready, arrays, tmp_path, capsys):
    path = recognize(load_config(None, ready))
    before, scores = path.stat().st_mtime_ns, tmp_path / "out/recognition/metrics.json"
    (arrays / "recognition_solution.csv").unlink()
    assert recognize(load_config(None, ready)) == path and path.stat().st_mtime_ns == before
    assert "recognize: up to date" in capsys.readouterr().out and not scores.exists()
    recognize(load_config(None, [*ready, "recognize.neighbours=1"]))
    assert path.stat().st_mtime_ns != before


def test_landmarks_predicted_too_often_come_last(ready):
    before = predicted(ready)
    counts = pd.Series([label for label, _ in before.values()]).value_counts()
    after = predicted(ready, f"recognize.frequent={counts.max() - 1}")
    frequent = set(counts[counts == counts.max()].index)
    order = sorted(after, key=lambda id: -after[id][1])
    demoted = [after[id][0] in frequent for id in order]
    assert demoted == sorted(demoted) and set(demoted) == {False, True}
    assert predicted(ready, "recognize.frequent=0") == before


def test_images_of_no_landmark_never_vote_and_lower_the_confidence(ready, arrays):
    found = predicted(ready, "recognize.non_landmark_ids=[105]", "recognize.non_landmark_neighbours=2", "recognize.non_landmark_weight=0.5")
    train, test = (np.load(arrays / f"{split}.npy").astype(np.float32) for split in ("train", "test"))
    train, test = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (train, test))
    none = train[pd.read_csv(arrays / "train.csv")["landmark_id"] == 105]
    for query, (label, confidence) in enumerate(found.values()):
        expected, score = vote_by_hand(arrays, query, 3, skip=[105])
        penalty = 0.5 * np.sort(none @ test[query])[-2:].mean()
        assert label == expected and confidence == pytest.approx(score - penalty, abs=1e-3)


def test_users_mistakes_exit_with_2(ready, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("{}\n")
    command = ["recognize", "--config", str(tmp_path / "c.yaml"), *ready]
    for wrong, message in [
        ("recognize.non_landmark_ids=[105,9]", "no image of the landmark 9"),
        ("recognize.verify=true", "no model has a local branch"),
        ("recognize.solution=none.csv", "missing solution file"),
        ("rerank=[{step: insert}]", "not there, or not finished"),
        ("search.neighbours=7", "made with other settings"),
    ]:
        assert main([*command, wrong]) == 2, wrong
        assert message in capsys.readouterr().err


def test_a_train_table_without_images_predicts_nothing(arrays, tmp_path):
    np.save(arrays / "train.npy", np.load(arrays / "train.npy")[:0])
    (arrays / "train.csv").write_text("id,landmark_id\n")
    settings = [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'out'}", "rerank=[{step: sort}]"]
    search(load_config(None, settings))
    rerank(load_config(None, settings))
    assert set(predicted(settings).values()) == {None}


def photo(scene, number):
    """The scene, cut out a little further right and down each time."""
    coarse = np.random.default_rng(scene).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
    return picture.crop((16 * number, 16 * number, 16 * number + 128, 16 * number + 128))


def test_verified_pairs_speak_for_their_landmark(delg_run):
    """Two queries, two landmarks: whatever the descriptors of an untrained model say, inliers find the scene."""
    train = {f"r{scene}{number}": photo(scene, number) for scene in (1, 2) for number in (0, 1)}
    queries = {"t1": photo(1, 2), "t2": photo(2, 2)}
    settings = delg_run({"train": train, "index": {"i": photo(9, 0)}, "test": queries}, {id: int(id[1]) for id in train})
    settings += ["rerank=[{step: sort}]", "recognize={verify: true, neighbours: 4}"]
    config = load_config(None, settings)
    extract(config)
    search(config)
    rerank(config)
    found = predicted(settings)
    assert {id: label for id, (label, _) in found.items()} == {"t1": 1, "t2": 2}
    # Two images of the scene, four cosines of at most 1: more than these comes from inliers.
    assert min(confidence for _, confidence in found.values()) > 4 * 0.25
    heavier = predicted(settings, "recognize.cosine_weight=1")
    assert all(heavier[id][1] > found[id][1] for id in found)
