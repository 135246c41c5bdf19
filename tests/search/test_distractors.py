"""Descriptors in shards, searched beside the index."""

import json
import pickle

import numpy as np
import pytest

from landmarks.cli import main
from landmarks.errors import UserError
from landmarks.search import distractors as module
from landmarks.search import spaces
from landmarks.search.distractors import Distractors
from landmarks.search.rankings import read_ranking

DIMENSIONS = 16


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def benchmark(tmp_path):
    """Four queries, 20 index images, 100 distractors in three shards of different lengths, of which some are nearer than any positive."""
    rng = np.random.default_rng(3)
    folder, far = tmp_path / "roxford5k", tmp_path / "shards"
    folder.mkdir()
    far.mkdir()
    index, queries = unit(rng.standard_normal((20, DIMENSIONS))), unit(rng.standard_normal((4, DIMENSIONS)))
    others = unit(rng.standard_normal((100, DIMENSIONS)))
    others[7] = unit(queries[:1] + 0.01)[0]
    np.save(folder / "index.npy", index.astype(np.float32))
    np.save(folder / "test.npy", queries.astype(np.float32))
    for number, part in enumerate(np.split(others, [40, 45])):
        np.save(far / f"{number:05d}.npy", part.astype(np.float16))
    gnd = [{"bbx": [0, 0, 9, 9], "easy": [q, q + 4], "hard": [q + 8], "junk": [q + 12]} for q in range(4)]
    names = {"imlist": [f"i{n}" for n in range(20)], "qimlist": [f"q{n}" for n in range(4)]}
    (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"gnd": gnd, **names}))
    return folder, far, np.concatenate([index, others]), queries, gnd


def run(folder, out, *overrides):
    (out.parent / "empty.yaml").write_text("{}\n")
    settings = ["dataset.source=revisited", f"dataset.folder={folder}", f"run.folder={out}", "run.device=cpu", *overrides]
    return main(["run", "--config", str(out.parent / "empty.yaml"), *settings])


@pytest.mark.parametrize("streamed", [False, True])
def test_distractors_are_ranked_among_the_index(benchmark, tmp_path, monkeypatch, streamed):
    folder, far, everything, queries, gnd = benchmark
    monkeypatch.setattr(module, "BLOCK", 33)  # blocks that do not end where shards do
    if streamed:
        monkeypatch.setattr(spaces, "_LARGE_INDEX", 0)
    out = tmp_path / "out"
    assert run(folder, out, f"dataset.distractors={far}", "search.neighbours=10") == 0
    ranking = read_ranking(out / "rankings" / "knn")
    assert len(ranking.index_ids) == 120 and ranking.index_ids[27] == "distractor-7" and ranking.indices[0, 0] == 27
    vectors = np.load(out / "space" / "index" / "vectors.npy")
    np.testing.assert_allclose(vectors, everything, atol=2e-3)
    order = np.argsort(-(queries.astype(np.float16).astype(np.float32) @ vectors.astype(np.float32).T), axis=1, kind="stable")
    expected = []
    for row, one in zip(order, gnd, strict=True):
        clean = [image for image in row if image not in one["junk"]]
        places = sorted(clean.index(image) for image in one["easy"] + one["hard"])
        expected.append(sum(((j / p if p else 1) + (j + 1) / (p + 1)) / 2 for j, p in enumerate(places)) / 3)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["chains"]["knn"]["map_medium"] == pytest.approx(100 * np.mean(expected), abs=1e-3)
    assert metrics["choices"]["distractors"] == str(far)


def test_they_are_whitened_as_the_index_is_and_change_nothing_of_the_whitening(benchmark, tmp_path):
    folder, far, *_ = benchmark
    settings = ("whiten.dimensions=8", "whiten.learned_on=index")
    assert run(folder, tmp_path / "with", f"dataset.distractors={far}", *settings) == 0
    assert run(folder, tmp_path / "without", *settings) == 0
    both = [np.load(tmp_path / name / "space" / "index" / "vectors.npy") for name in ("with", "without")]
    assert both[0].shape == (120, 8)
    np.testing.assert_array_equal(both[0][:20], both[1])


def test_other_shards_are_another_search(benchmark, tmp_path, capsys):
    folder, far, *_ = benchmark
    out = tmp_path / "out"
    run(folder, out, f"dataset.distractors={far}")
    np.save(far / "00003.npy", np.ones((5, DIMENSIONS), np.float16))
    capsys.readouterr()
    assert run(folder, out, f"dataset.distractors={far}") == 0
    assert "search: up to date" not in capsys.readouterr().out
    assert len(read_ranking(out / "rankings" / "knn").index_ids) == 125


def test_faulty_distractors_are_refused_by_name(benchmark, tmp_path, capsys):
    folder, far, *_ = benchmark

    def refusal():
        assert run(folder, tmp_path / "out", f"dataset.distractors={far}") == 2
        return capsys.readouterr().err

    np.save(far / "00001.npy", np.ones((5, DIMENSIONS + 1), np.float16))
    assert "same dimensions" in refusal()
    np.save(far / "00001.npy", np.zeros((5, DIMENSIONS), np.float16))
    assert "zero or holds NaN" in refusal()
    (far / "ids.csv").write_text("id\na\n")
    assert "100 descriptors for 1 ids" in refusal()
    np.save(far / "00001.npy", np.ones((5, DIMENSIONS), np.float16))
    (far / "ids.csv").write_text("\n".join(["id", "i3", *(f"d{n}" for n in range(99))]) + "\n")
    assert "1 distractors are index images, first 'i3'" in refusal()
    (far / "ids.csv").unlink()
    for path in far.iterdir():
        np.save(path, np.ones((5, DIMENSIONS - 4), np.float16))
    assert f"the distractors have {DIMENSIONS - 4} dimensions, the queries {DIMENSIONS}" in refusal()
    for path in far.iterdir():
        path.unlink()
    assert "no .npy shards" in refusal()


def test_a_run_that_has_not_extracted_is_refused(tmp_path):
    with pytest.raises(UserError, match="not there, or not finished"):
        Distractors(tmp_path, {"tiny": 1.0}).ids  # noqa: B018 - reading them fails
