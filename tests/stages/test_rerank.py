"""Chains whose steps search anew, from stored arrays: the vectors go from step to step and survive an interruption."""

import json
import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from landmarks.cli import main
from landmarks.search.rankings import read_ranking

STEPS = (
    "{step: discriminate, dimensions: 8}, {step: add_labels, neighbours: 4, power: 4}, "
    "{step: augment_database, neighbours: 3}, {step: expand_query, neighbours: 3}"
)
NAMES = ["discriminate(dimensions=8)", "add_labels(neighbours=4,power=4.0)", "augment_database(neighbours=3)", "expand_query(neighbours=3)"]


def run(folder, out, stages, chain=f"[{STEPS}]"):
    out.parent.mkdir(parents=True, exist_ok=True)
    (out.parent / "empty.yaml").write_text("{}\n")
    shared = ["--config", str(out.parent / "empty.yaml"), f"dataset.folder={folder}", f"run.folder={out}", f"rerank={chain}"]
    return max(main([stage, *shared]) for stage in stages)


def whole(out):
    return out / "rankings" / "+".join(NAMES)


def test_every_prefix_is_a_ranking_and_each_search_a_space(arrays, tmp_path):
    out = tmp_path / "out"
    assert run(arrays, out, ["search", "rerank", "submit", "evaluate", "report"]) == 0
    table = pd.read_csv(out / "ablation.csv")
    assert table["chain"].tolist() == ["knn", *["+".join(NAMES[: n + 1]) for n in range(4)]]
    discriminated = out / "rankings" / NAMES[0] / "space"
    index, train = np.load(discriminated / "index.npy"), np.load(discriminated / "train.npy")
    assert index.shape == (90, 8 + 16) and index.dtype == np.float16
    labelled = np.load(out / "rankings" / "+".join(NAMES[:2]) / "space" / "train.npy")
    landmarks = pd.read_csv(arrays / "train.csv")["landmark_id"].nunique()
    assert labelled.shape == (len(train), 8 + 16 + landmarks), "a landmark has an axis of its own"
    np.testing.assert_allclose(np.linalg.norm(labelled.astype(float), axis=1), 1, atol=1e-3)
    manifest = json.loads((whole(out) / "manifest.json").read_text())
    assert manifest["step_seconds"] >= 0 and manifest["peak_megabytes"] > 1


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_chain_cut_off_at_any_step_ends_as_an_undisturbed_one(arrays, tmp_path, lost):
    out = tmp_path / "out"
    run(arrays, out, ["search", "rerank"])
    wanted = read_ranking(whole(out))
    for steps in range(lost + 1, 5):
        shutil.rmtree(out / "rankings" / "+".join(NAMES[:steps]))
    assert run(arrays, out, ["rerank"]) == 0
    found = read_ranking(whole(out))
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_chains_share_what_they_begin_with(arrays, tmp_path):
    out = tmp_path / "out"
    run(arrays, out, ["search", "rerank"])
    made = {path: path.stat().st_mtime_ns for path in (out / "rankings").rglob("*.npy")}
    assert run(arrays, out, ["rerank"], "[{step: discriminate, dimensions: 8}, {step: sort}]") == 0
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert (out / "rankings" / f"{NAMES[0]}+sort").is_dir()


def test_neighbours_are_searched_for_once_and_again_only_for_more(arrays, tmp_path):
    out = tmp_path / "out"
    run(arrays, out, ["search", "rerank"], "[{step: sort, neighbours: 3}]")
    kept = out / "space" / "neighbours" / "index-train" / "indices.npy"
    first, when = np.load(kept), kept.stat().st_mtime_ns
    run(arrays, out, ["rerank"], "[{step: sort, neighbours: 2}]")
    assert kept.stat().st_mtime_ns == when
    run(arrays, out, ["rerank"], "[{step: sort, neighbours: 5}]")
    np.testing.assert_array_equal(np.load(kept)[:, :3], first)
    assert np.load(kept).shape[1] == 5


def test_other_vectors_forget_the_neighbours_of_the_old_ones(arrays, tmp_path):
    out = tmp_path / "out"
    run(arrays, out, ["search", "rerank"])
    np.save(arrays / "index.npy", np.load(arrays / "index.npy")[::-1].copy())
    assert run(arrays, out, ["search", "rerank"]) == 0
    assert run(arrays, tmp_path / "fresh", ["search", "rerank"]) == 0
    np.testing.assert_array_equal(read_ranking(whole(out)).indices, read_ranking(whole(tmp_path / "fresh")).indices)


def test_a_permutation_of_the_queries_permutes_the_result(arrays, tmp_path):
    run(arrays, tmp_path / "out", ["search", "rerank"])
    before = read_ranking(whole(tmp_path / "out"))
    table, vectors = pd.read_csv(arrays / "test.csv"), np.load(arrays / "test.npy")
    order = np.random.default_rng(0).permutation(len(table))
    table.iloc[order].to_csv(arrays / "test.csv", index=False)
    np.save(arrays / "test.npy", vectors[order])
    run(arrays, tmp_path / "other", ["search", "rerank"])
    np.testing.assert_array_equal(read_ranking(whole(tmp_path / "other")).indices, before.indices[order])


def test_without_train_there_is_nothing_to_learn_from(arrays, tmp_path, capsys):
    (arrays / "train.csv").write_text("id,landmark_id\n")
    np.save(arrays / "train.npy", np.load(arrays / "train.npy")[:0])
    assert run(arrays, tmp_path / "out", ["search", "rerank"]) == 2
    assert "learns from train" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out")
    assert run(arrays, tmp_path / "out", ["search", "rerank"], "[{step: add_labels}, {step: expand_query}, {step: sort}]") == 0


def test_fuse_keeps_its_model_beside_the_ranking(arrays, tmp_path, capsys):
    out, name = tmp_path / "out", "expand_query(neighbours=3)+fuse(trees=5,classifier=False)"
    chain = "[{step: expand_query, neighbours: 3}, {step: fuse, trees: 5, classifier: false}]"
    assert run(arrays, out, ["search", "rerank", "evaluate"], chain) == 0
    kept = {path.name for path in (out / "rankings" / name).iterdir()}
    assert ({"model.txt", "importances.csv"} <= kept) != ("the order stays" in capsys.readouterr().out)
    assert pd.read_csv(out / "ablation.csv")["chain"].iloc[-1] == name


def test_a_disk_too_small_for_the_vectors_is_refused_before_the_first_step(arrays, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    run(arrays, out, ["search"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "total used free")(1, 1, 1))
    assert run(arrays, out, ["rerank"]) == 2
    said = capsys.readouterr().err
    assert "the vectors of 4 steps take up to" in said and "run.folder on a larger disk" in said
    assert [path.name for path in (out / "rankings").iterdir()] == ["knn"]
    assert run(arrays, out, ["rerank"], "[{step: sort}]") == 0, "which makes no vectors"
