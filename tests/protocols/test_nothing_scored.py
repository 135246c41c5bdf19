"""Evaluations that evaluate nothing are refused, and a Recall@20 of lists of 5 is not reported."""

import json

import numpy as np
import pytest

from landmarks.cli import main

IDS = {"index": [f"i{n}" for n in range(30)], "test": ["q0", "q1", "q2"], "train": ["t0", "t1"]}
HEADS = {"retrieval": "id,images,Usage", "recognition": "id,landmarks,Usage"}


@pytest.fixture
def dataset(tmp_path):
    """A folder with descriptors of its own; a query is as similar to an index image as their numbers are near."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split, ids in IDS.items():
        lines = [f"{id},{10 * n if split == 'index' else 40 * n},0" for n, id in enumerate(ids)]
        if split != "train":
            (folder / f"{split}.csv").write_text("\n".join(["id,easting,northing", *lines]) + "\n")
        angles = np.linspace(0, 1.2, len(ids))
        np.save(folder / f"{split}.npy", np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32))
    (folder / "train.csv").write_text("id,landmark_id\nt0,5\nt1,7\n")
    (tmp_path / "empty.yaml").write_text("{}\n")
    return folder


def run(dataset, stages, *overrides):
    out = dataset.parent / "out"
    named = ["--config", str(dataset.parent / "empty.yaml"), f"dataset.folder={dataset}", f"run.folder={out}", "run.device=cpu"]
    for stage in stages:
        code = main([stage, *named, *overrides])
        if code:
            return code
    return 0


def assert_refused(dataset, capsys, stage, message, *overrides):
    capsys.readouterr()
    assert run(dataset, [stage], *overrides) == 2
    said = capsys.readouterr().err
    assert message in said and "next:" in said
    assert not (dataset.parent / "results.csv").exists() and not (dataset.parent / "out" / "metrics.json").exists()


@pytest.mark.parametrize("rows", ["", "q0,i0,Ignored\nq1,i1 i2,Ignored\n"])
def test_a_retrieval_solution_without_a_scored_query(dataset, capsys, rows):
    (dataset / "retrieval_solution.csv").write_text(f"{HEADS['retrieval']}\n{rows}")
    assert run(dataset, ["search", "submit"]) == 0
    for stage in ("evaluate", "ablate"):
        assert_refused(dataset, capsys, stage, "no scored query")
    submission = dataset.parent / "out" / "submission.csv"
    assert_refused(dataset, capsys, "evaluate", "no scored query", f"evaluate.submission={submission}")


@pytest.mark.parametrize("rows", ["", "q0,5,Ignored\n", "q0,,Private\nq1,,Public\n"])
def test_a_recognition_solution_without_a_landmark(dataset, capsys, rows):
    (dataset / "recognition_solution.csv").write_text(f"{HEADS['recognition']}\n{rows}")
    recognize = ("evaluate.protocol=recognition", "recognize.verify=0")
    assert run(dataset, ["search"], *recognize) == 0
    assert_refused(dataset, capsys, "recognize", "the solution has no", *recognize)
    assert_refused(dataset, capsys, "evaluate", "the solution has no", *recognize)
    submission = dataset.parent / "out" / "recognition" / "submission.csv"
    assert_refused(dataset, capsys, "evaluate", "the solution has no", *recognize, f"evaluate.submission={submission}")


def test_places_that_the_index_has_none_of(dataset, capsys):
    places = "evaluate.protocol=places"
    assert run(dataset, ["search"], places) == 0
    away = ("places.metres=0.5",)
    text = (dataset / "test.csv").read_text().replace(",0\n", ",5000\n")
    (dataset / "test.csv").write_text(text)
    assert run(dataset, ["search"], places) == 0
    assert_refused(dataset, capsys, "evaluate", "no query has an image that is to be found", places, *away)
    assert_refused(dataset, capsys, "evaluate", "no scored query", places, *away, "places.skip_without_positives=true")
    assert_refused(dataset, capsys, "ablate", "no query has an image that is to be found", places, *away)


@pytest.mark.parametrize(("neighbours", "measured"), [(1, [1]), (5, [1, 5]), (19, [1, 5, 10]), (20, [1, 5, 10, 20]), (100, [1, 5, 10, 20])])
def test_a_recall_is_of_lists_that_are_long_enough(dataset, neighbours, measured):
    assert run(dataset, ["search", "evaluate"], "evaluate.protocol=places", f"search.neighbours={neighbours}") == 0
    results = json.loads((dataset.parent / "out" / "metrics.json").read_text())
    numbers = results["chains"]["knn"]
    assert [at for at in (1, 5, 10, 20) if numbers[f"recall_at_{at}"] is not None] == measured
    assert ("length of lists" in results["choices"]) == (len(measured) < 4)
    ledger = (dataset.parent / "results.csv").read_text()
    assert [at for at in (1, 5, 10, 20) if f"recall_at_{at}=" in ledger] == measured


def test_lists_that_hold_the_whole_index_are_long_enough(dataset):
    for name in ("index.csv", "index.npy"):
        path = dataset / name
        if path.suffix == ".npy":
            np.save(path, np.load(path)[:8])
        else:
            path.write_text("".join(line for line in path.read_text().splitlines(keepends=True)[:9]))
    assert run(dataset, ["search", "evaluate"], "evaluate.protocol=places", "search.neighbours=8") == 0
    numbers = json.loads((dataset.parent / "out" / "metrics.json").read_text())["chains"]["knn"]
    assert None not in numbers.values()
