"""Which vectors the search makes, what it finds, and what of it is kept."""

import numpy as np
import pytest

from landmarks import processes
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.ops.knn import recall
from landmarks.search.rankings import read_ranking
from landmarks.stages import search as module
from landmarks.stages.search import search
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.tables import read_ids


@pytest.fixture
def run(arrays, tmp_path):
    """run(*overrides): search the 90 index images with the 24 queries; returns the run folder."""

    def make(*overrides):
        config = load_config(None, [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'run'}", "run.device=cpu", *overrides])
        assert search(config) == tmp_path / "run" / "rankings" / "knn"
        return tmp_path / "run"

    return make


def times(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.npy")}


def test_every_query_finds_the_most_similar_images_in_order(run, arrays):
    folder = run("search.neighbours=7")
    vectors = {split: np.load(folder / "space" / split / "vectors.npy") for split in ("test", "index")}
    raw = np.load(arrays / "index.npy").astype(np.float32)
    np.testing.assert_allclose(vectors["index"], raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-3)
    assert vectors["index"].dtype == np.float16 and read_ids(folder / "space" / "index" / "ids.csv")[3] == "i003"
    cosines = vectors["test"].astype(np.float32) @ vectors["index"].astype(np.float32).T
    ranking, best = read_ranking(folder / "rankings" / "knn"), np.argsort(-cosines, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(ranking.indices, best)
    np.testing.assert_allclose(ranking.scores, np.take_along_axis(cosines, best, axis=1), rtol=1e-5)
    assert ranking.query_ids[5] == "t005" and ranking.index_ids[89] == "i089"


def test_lists_longer_than_the_index_end_in_nothing(run):
    ranking = read_ranking(run("search.neighbours=93") / "rankings" / "knn")
    assert (ranking.indices[:, 90:] == -1).all() and np.isneginf(ranking.scores[:, 90:]).all()
    assert (np.sort(ranking.indices[:, :90], axis=1) == np.arange(90)).all()


def test_train_is_made_when_a_chain_or_recognition_needs_it_and_nothing_else_again(run, capsys):
    folder = run()
    made = times(folder)
    assert not (folder / "space" / "train").exists() and set(made) > {"space/test/vectors.npy", "rankings/knn/indices.npy"}
    run("rerank=sort")
    after = times(folder)
    assert {path: after.pop(path) for path in made} == made and list(after) == ["space/train/vectors.npy"]
    capsys.readouterr()
    run("evaluate.protocol=recognition")
    assert "search: up to date" in capsys.readouterr().out


def test_recognition_without_a_chain_needs_train_too(run):
    assert (run("evaluate.protocol=recognition") / "space" / "train" / "vectors.npy").is_file()


@pytest.mark.parametrize("change", ["lost", "neighbours"])
def test_a_ranking_is_made_again_from_the_vectors_that_are_there(run, change):
    folder = run("search.neighbours=9")
    before, made = read_ranking(folder / "rankings" / "knn"), times(folder / "space")
    if change == "lost":
        (folder / "rankings" / "knn" / "manifest.json").unlink()
    run("search.neighbours=5" if change == "neighbours" else "search.neighbours=9")
    length = 5 if change == "neighbours" else 9
    np.testing.assert_array_equal(read_ranking(folder / "rankings" / "knn").indices, before.indices[:, :length])
    assert times(folder / "space") == made


@pytest.mark.parametrize("split", ["test", "index", "train"])
def test_other_descriptors_of_one_split_make_its_vectors_and_the_ranking_of_them_again(run, arrays, split):
    folder = run("rerank=sort")
    made = times(folder)
    np.save(arrays / f"{split}.npy", np.load(arrays / f"{split}.npy")[::-1].copy())
    run("rerank=sort")
    changed = {path for path, time in times(folder).items() if made[path] != time}
    ranking = {"rankings/knn/indices.npy", "rankings/knn/scores.npy"} if split != "train" else set()
    assert changed == {f"space/{split}/vectors.npy"} | ranking


def test_a_fault_in_the_last_split_that_is_read_leaves_nothing_half_made(run, arrays, tmp_path):
    train = np.load(arrays / "train.npy")
    train[7] = 0
    np.save(arrays / "train.npy", train)
    with pytest.raises(UserError, match="descriptor of 'r007' is zero"):
        run("rerank=sort")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["index", "test"])
def test_an_empty_table_is_named(run, arrays, split):
    (arrays / f"{split}.csv").write_text("id\n")
    np.save(arrays / f"{split}.npy", np.zeros((0, 16), np.float32))
    with pytest.raises(UserError, match=f"{split}.csv lists no (images|queries), so that there is nothing to search") as raised:
        run()
    assert raised.value.where == arrays / f"{split}.csv"


@pytest.mark.parametrize("noise", [0, 1e-6])
def test_descriptors_that_are_all_alike_are_no_result(run, arrays, noise):
    """A collapsed model: every list would be in the order of the table, and have a score."""
    whole = {split: np.load(arrays / f"{split}.npy") for split in ("index", "train")}

    def collapse(split):
        rows = np.tile(whole[split][:1].astype(np.float32), (len(whole[split]), 1))
        np.save(arrays / f"{split}.npy", rows + noise * np.random.default_rng(0).standard_normal(rows.shape).astype(np.float32))

    collapse("index")
    with pytest.raises(UserError, match="the index descriptors are all alike"):
        run()
    np.save(arrays / "index.npy", whole["index"])
    collapse("train")
    with pytest.raises(UserError, match="whitening is learned on train, whose descriptors are all alike"):
        run("whiten.dimensions=4")
    with pytest.raises(UserError, match="the train descriptors are all alike"):
        run("rerank=sort")
    run()


def test_a_compressed_index_is_used_where_it_is_asked_for_and_its_recall_is_said(run, tmp_path, capsys):
    exact = read_ranking(run("search.neighbours=10") / "rankings" / "knn")
    folder = run("search.neighbours=10", "search.index=compressed") / "rankings" / "knn"
    found = read_ranking(folder)
    assert "the compressed index finds" in capsys.readouterr().out
    assert (found.indices >= 0).all() and read_manifest(folder)["recall"] == pytest.approx(recall(found.indices, exact.indices), abs=1e-4)
    assert read_manifest(folder)["recall"] > 0.9


def test_another_than_the_first_process_waits_for_no_file_that_the_first_deletes(tmp_path, monkeypatch):
    monkeypatch.setattr(processes.time, "sleep", lambda seconds: pytest.fail("it waits"))
    knn = Artefact(tmp_path / "knn", "search", {}, {})
    knn.begin()
    vectors = np.eye(4, dtype=np.float32)  # one block, which is the first process's
    module._search_together(knn, vectors, vectors, 2, False, processes.Processes(1, 2))
    knn.finish()
