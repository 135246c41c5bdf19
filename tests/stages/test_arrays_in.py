"""From a folder of descriptors to scores: search, rerank, submit, evaluate, through the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from landmarks.cli import main
from landmarks.config import chain_names, load_config
from landmarks.datasets.solution import read_solution
from landmarks.datasets.submission import read_submission
from landmarks.metrics.google_landmarks import average_precision
from landmarks.search.rankings import read_ranking
from landmarks.store.tables import read_tables

CHAIN = "rerank=[{step: sort}, {step: insert}]"
STAGES = ("search", "rerank", "submit", "evaluate")


def run(folder, out, *overrides, stages=STAGES):
    for stage in stages:
        code = main([stage, "--config", str(config_file(out)), f"dataset.folder={folder}", f"run.folder={out}", CHAIN, *overrides])
        if code:
            return code
    return 0


def config_file(out):
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.parent / "empty.yaml"
    path.write_text("{}\n")
    return path


def test_scores_of_every_prefix_and_a_submission(arrays, tmp_path):
    out = tmp_path / "out"
    assert run(arrays, out) == 0
    ablation = pd.read_csv(out / "ablation.csv")
    assert list(ablation.columns) == ["chain", "map_private", "map_public", "seconds"]
    assert ablation["chain"].tolist() == ["knn", "sort", "sort+insert"]
    per_query = pd.read_csv(out / "per_query.csv")
    assert len(per_query) == 18 and per_query["relevant"].eq(15).all()
    private = per_query["usage"] == "Private"
    assert ablation["map_private"].tolist() == pytest.approx([per_query.loc[private, name].mean() for name in ablation["chain"]], abs=1e-3)
    assert ablation["seconds"].is_monotonic_increasing
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["chains"]["sort+insert"]["map_public"] == ablation["map_public"].iloc[2]
    assert metrics["queries"] == {"Private": 12, "Public": 6}
    # What is submitted is what is scored.
    tables = read_tables(arrays)
    solution = read_solution(arrays / "retrieval_solution.csv", tables.test_ids, tables.index_ids)
    lists = read_submission(out / "submission.csv", tables.test_ids, tables.index_ids)
    rows = [tables.test_ids.tolist().index(id) for id in solution.query_ids]
    scores = average_precision(lists.rows(np.array(rows)).padded(100), solution.truth.numbers, solution.truth.starts)
    assert per_query["sort+insert"].tolist() == pytest.approx((100 * scores).tolist(), abs=1e-3)


def test_a_second_run_does_nothing_and_a_new_setting_only_what_it_must(arrays, tmp_path, capsys):
    out = tmp_path / "out"
    run(arrays, out)
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    capsys.readouterr()
    run(arrays, out)
    said = capsys.readouterr().out
    assert "search: up to date" in said and "rerank: up to date" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")} == made
    config = [f"dataset.folder={arrays}", f"run.folder={out}", "rerank=[{step: sort}, {step: insert, threshold: 0.2}]"]
    for stage in STAGES:
        assert main([stage, "--config", str(config_file(out)), *config]) == 0
    assert {path: path.stat().st_mtime_ns for path in made} == made, "another setting is another chain: it has a folder of its own"
    assert (out / "rankings" / "sort+insert(threshold=0.2)" / "manifest.json").is_file()


def test_a_cut_off_rerank_goes_on(arrays, tmp_path):
    out = tmp_path / "out"
    run(arrays, out)
    wanted = read_ranking(out / "rankings" / "sort+insert")
    (out / "rankings" / "sort+insert" / "manifest.json").unlink()
    (out / "rankings" / "sort+insert" / "scores.npy").unlink()
    assert run(arrays, out) == 0
    np.testing.assert_array_equal(read_ranking(out / "rankings" / "sort+insert").indices, wanted.indices)


def test_whitening_changes_the_space_and_no_chain_needs_no_neighbours(arrays, tmp_path):
    assert run(arrays, tmp_path / "a", "whiten.dimensions=8", "rerank=[]") == 0
    assert json.loads((tmp_path / "a/rankings/knn/manifest.json").read_text())["dimensions"] == 8
    assert not (tmp_path / "a/space/train").exists()
    assert pd.read_csv(tmp_path / "a/ablation.csv")["chain"].tolist() == ["knn"]


def test_a_query_of_the_same_place_finds_its_images_first(arrays, tmp_path):
    """Exact copies of index images as queries: the copy itself must rank first."""
    index = np.load(arrays / "index.npy")
    np.save(arrays / "test.npy", index[:24])
    run(
        arrays,
        tmp_path / "out",
        stages=("search",),
    )
    ranking = read_ranking(tmp_path / "out/rankings/knn")
    assert ranking.indices[:, 0].tolist() == list(range(24))
    np.testing.assert_allclose(ranking.scores[:, 0], 1, rtol=2e-3)


def test_without_a_solution_there_is_a_submission_and_no_score(arrays, tmp_path, capsys):
    (arrays / "retrieval_solution.csv").unlink()
    assert run(arrays, tmp_path / "out") == 0
    assert "nothing to score against" in capsys.readouterr().out
    assert (tmp_path / "out/submission.csv").is_file() and not (tmp_path / "out/metrics.json").exists()


def test_scores_of_an_earlier_run_do_not_stay(arrays, tmp_path):
    run(arrays, tmp_path / "out")
    (arrays / "retrieval_solution.csv").unlink()
    assert run(arrays, tmp_path / "out") == 0
    assert not (tmp_path / "out/ablation.csv").exists()


def test_validating_a_file_without_a_solution_writes_and_removes_nothing(arrays, tmp_path, capsys):
    run(arrays, tmp_path / "out")
    (arrays / "retrieval_solution.csv").unlink()
    file = tmp_path / "out/submission.csv"
    assert run(arrays, tmp_path / "out", f"evaluate.submission={file}", stages=["evaluate"]) == 0
    assert f"{file} is valid" in capsys.readouterr().out and (tmp_path / "out/ablation.csv").is_file()


@pytest.mark.parametrize("stage", ["submit", "evaluate", "report"])
@pytest.mark.parametrize("other", ["whiten.dimensions=4", "search.neighbours=50"])
def test_a_stage_refuses_rankings_of_other_settings(arrays, tmp_path, capsys, stage, other):
    run(arrays, tmp_path / "out")
    assert run(arrays, tmp_path / "out", other, stages=[stage]) == 2
    assert "made with other settings" in capsys.readouterr().err


def test_the_numbers_of_landmarks_mean_nothing(arrays, tmp_path):
    run(arrays, tmp_path / "out")
    table = pd.read_csv(arrays / "train.csv")
    table["landmark_id"] = 5 - 7 * table["landmark_id"]
    table.to_csv(arrays / "train.csv", index=False)
    run(arrays, tmp_path / "negative")
    assert (tmp_path / "out/submission.csv").read_text() == (tmp_path / "negative/submission.csv").read_text()


def test_a_file_in_place_of_a_folder_is_the_user_s_to_mend(arrays, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(arrays, tmp_path / "file") == 2
    assert "error:" in capsys.readouterr().err


def test_any_submission_file_can_be_scored(arrays, tmp_path, capsys):
    run(arrays, tmp_path / "out")
    ablation = pd.read_csv(tmp_path / "out/ablation.csv")
    capsys.readouterr()
    assert run(arrays, tmp_path / "out", f"evaluate.submission={tmp_path / 'out/submission.csv'}", stages=["evaluate"]) == 0
    assert f"mAP@100 private {ablation['map_private'].iloc[-1]:.2f} (12 queries)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (" ".join(f"i{n:03d}" for n in range(90)) + " i000" * 11, "101 images for query 't000'"),
        ("i000 x999", "unknown index image 'x999'"),
    ],
)
def test_a_bad_submission_file_stops_with_code_2(arrays, tmp_path, capsys, images, message):
    rows = [f"t000,{images}", *(f"t{n:03d}," for n in range(1, 24))]
    (tmp_path / "mine.csv").write_text("\n".join(["id,images", *rows]) + "\n")
    assert run(arrays, tmp_path / "out", f"evaluate.submission={tmp_path / 'mine.csv'}", stages=["evaluate"]) == 2
    error = capsys.readouterr().err
    assert message in error and "mine.csv, row 2" in error


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("rows", "89 descriptors for 90 ids"),
        ("nan", "descriptor of 'i004' is zero or holds NaN"),
        ("dimensions", "dimensions"),
        ("integers", "floating point"),
        ("missing", "missing file"),
        ("duplicate", "duplicate id 'i000'"),
        ("folder", "does not exist"),
    ],
)
def test_bad_arrays_stop_with_code_2_and_nothing_is_written(arrays, tmp_path, capsys, fault, message):
    index = np.load(arrays / "index.npy")
    folder = arrays
    if fault == "rows":
        np.save(arrays / "index.npy", index[:-1])
    elif fault == "nan":
        index[4, 2] = np.nan
        np.save(arrays / "index.npy", index)
    elif fault == "dimensions":
        np.save(arrays / "index.npy", index[:, :-1])
    elif fault == "integers":
        np.save(arrays / "index.npy", index.astype(np.int32))
    elif fault == "missing":
        (arrays / "index.npy").unlink()
    elif fault == "duplicate":
        (arrays / "index.csv").write_text((arrays / "index.csv").read_text().replace("i001", "i000"))
    elif fault == "folder":
        folder = tmp_path / "nowhere"
    assert run(folder, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and "next:" in error
    assert not list((tmp_path / "out").rglob("manifest.json"))


def test_rerank_before_search_says_what_to_run(arrays, tmp_path, capsys):
    assert run(arrays, tmp_path / "out", stages=["rerank"]) == 2
    assert "not there, or not finished" in capsys.readouterr().err


def test_ids_of_the_chain_and_of_the_folders_agree():
    config = load_config(None, [CHAIN])
    assert chain_names(config.rerank)[-1] == "sort+insert"
