"""From a search to the table of what helps, through the command line."""

import json
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.datasets.solution import read_solution
from landmarks.datasets.submission import read_submission
from landmarks.metrics.google_landmarks import average_precision
from landmarks.store.tables import read_tables

CHAIN = "rerank=[{step: expand_query, neighbours: 3}, {step: sort}, {step: insert}]"
WHOLE = "expand_query(neighbours=3)+sort+insert"
SWEEP = "ablate.sweep={sort: {neighbours: [1, 3, 7]}, insert: {threshold: [0.2, 0.9]}}"


@pytest.fixture
def stage(arrays, tmp_path):
    """stage(name, overrides...) -> exit code, over the fixture's arrays and into tmp_path/out."""
    (tmp_path / "empty.yaml").write_text("{}\n")

    def run(name, *overrides):
        settings = [f"dataset.folder={arrays}", f"run.folder={tmp_path / 'out'}", "ablate.samples=200", CHAIN, *overrides]
        return main([name, "--config", str(tmp_path / "empty.yaml"), *settings])

    return run


def table(tmp_path, name="ablation.csv"):
    return pd.read_csv(tmp_path / "out" / "ablate" / name)


def made(tmp_path):
    """When each ranking was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "rankings").glob("*/manifest.json")}


def test_one_table_of_prefixes_and_of_steps_left_out_with_the_scores_of_evaluate(stage, tmp_path, capsys):
    assert stage("search") == 0 and stage("ablate") == 0
    printed = capsys.readouterr().out
    rows = table(tmp_path)
    assert rows["row"].tolist() == [
        *("knn", "+ expand_query(neighbours=3)", "+ sort", "+ insert", "= all steps"),
        *("- expand_query(neighbours=3)", "- sort", "- insert"),
    ]
    assert rows["chain"].tolist()[4:] == [WHOLE, "sort+insert", "expand_query(neighbours=3)+insert", "expand_query(neighbours=3)+sort"]
    before = made(tmp_path)
    assert stage("rerank") == 0 and stage("evaluate") == 0
    assert made(tmp_path) == before, "the chain of the configuration was among them"
    evaluated = pd.read_csv(tmp_path / "out" / "ablation.csv")
    pd.testing.assert_frame_equal(
        rows[:4][["chain", "map_private", "map_public", "total_seconds"]].rename(columns={"total_seconds": "seconds"}), evaluated
    )
    for row in rows["row"]:
        assert row in printed


def test_every_change_is_worked_out_anew_from_the_rankings(stage, arrays, tmp_path):
    """Each chain is submitted by itself, and the submissions are compared query by query."""
    stage("search")
    assert stage("ablate", "ablate.chains.other=[{step: insert, threshold: 0.2}, {step: expand_query}]") == 0
    tables = read_tables(arrays)
    solution = read_solution(arrays / "retrieval_solution.csv", tables.test_ids, tables.index_ids)
    chains = {"knn": "[]", "sort+insert": "[{step: sort}, {step: insert}]", WHOLE: CHAIN.removeprefix("rerank=")}
    chains["insert(threshold=0.2)"] = "[{step: insert, threshold: 0.2}]"
    chains["insert(threshold=0.2)+expand_query"] = "[{step: insert, threshold: 0.2}, {step: expand_query}]"
    scores = {}
    for name, chain in chains.items():
        assert stage("submit", f"rerank={chain}") == 0
        lists = read_submission(tmp_path / "out" / "submission.csv", tables.test_ids, tables.index_ids)
        predicted = lists.rows(np.array([tables.test_ids.tolist().index(id) for id in solution.query_ids])).padded(100)
        scores[name] = average_precision(predicted, solution.truth.numbers, solution.truth.starts)
    compared = 0
    for row in table(tmp_path).itertuples():
        if row.chain in scores and row.reference in scores:
            change = scores[row.chain] - scores[row.reference]
            assert row.change == pytest.approx(100 * change.mean(), abs=1e-4) and row.change_low <= row.change <= row.change_high
            assert (row.helped, row.hurt) == ((change > 1e-9).sum(), (change < -1e-9).sum())
            compared += 1
    assert compared == 5  # the whole chain, it without its first step, and the other chain's two prefixes and whole


def test_shared_prefixes_are_made_once_and_a_second_run_makes_nothing(stage, tmp_path, capsys):
    stage("search")
    stage("rerank")
    before = made(tmp_path)
    assert stage("ablate") == 0
    after = made(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"sort", "sort+insert", "expand_query(neighbours=3)+insert"}
    capsys.readouterr()
    assert stage("ablate") == 0
    assert "none is to be made" in capsys.readouterr().out and made(tmp_path) == after


def test_cut_off_it_goes_on_at_the_next_ranking(stage, tmp_path, monkeypatch):
    stage("search")
    stage("ablate")
    whole, files = table(tmp_path), {path.parent.name: path.read_bytes() for path in (tmp_path / "out/rankings").glob("*/indices.npy")}
    for name in ("sort", "sort+insert"):  # cut off in the middle of the third chain
        (tmp_path / "out/rankings" / name / "manifest.json").unlink()
    (tmp_path / "out/rankings/sort/scores.npy").unlink()
    before = made(tmp_path)
    assert stage("ablate") == 0
    after = made(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {"sort", "sort+insert"}
    costs = ["seconds", "total_seconds", "peak_megabytes"]
    pd.testing.assert_frame_equal(table(tmp_path).drop(columns=costs), whole.drop(columns=costs))
    assert {path.parent.name: path.read_bytes() for path in (tmp_path / "out/rankings").glob("*/indices.npy")} == files


@pytest.mark.parametrize(("choose_on", "choosing"), [("public", 6), ("half", 9)])
def test_a_sweep_is_chosen_on_one_part_and_scored_on_the_other(stage, tmp_path, capsys, choose_on, choosing):
    stage("search")
    assert stage("ablate", SWEEP, f"ablate.choose_on={choose_on}", "ablate.leave_one_out=false") == 0
    printed = capsys.readouterr().out
    sweep, rows = table(tmp_path, "sweep.csv"), table(tmp_path)
    assert list(sweep.columns[:2]) == ["sort.neighbours", "insert.threshold"]
    assert len(sweep) == 7 and sweep["choosing"].is_monotonic_decreasing  # the chain as it stands has a threshold of its own
    best = rows.iloc[-1]
    assert (best["section"], best["row"], best["queries"]) == ("sweep", "best of 7", 18 - choosing)
    assert best["chain"] == sweep["chain"].iloc[0] and best["reference"] == WHOLE
    told = sweep[sweep["scoring"].notna()]
    assert set(told["chain"]) == {best["chain"], WHOLE}
    scoring = told.set_index("chain")["scoring"]
    assert best["change"] == pytest.approx(scoring[best["chain"]] - scoring[WHOLE], abs=2e-4)
    if choose_on == "public":
        assert np.isnan(best["map_public"]) and best["map_private"] == scoring[best["chain"]]
    # What is pasted is what was found.
    for text in (printed, (tmp_path / "out/ablate/ablation.md").read_text()):
        lines = text[text.index("rerank:") :].splitlines()
        (tmp_path / "best.yaml").write_text("\n".join(["rerank:", *(line for line in lines[1:4])]))
        rerank = load_config(tmp_path / "best.yaml").rerank
        assert (rerank[1].neighbours, rerank[2].threshold) == tuple(sweep.loc[0, ["sort.neighbours", "insert.threshold"]])


def test_the_private_truth_has_no_part_in_the_choice(stage, arrays, tmp_path):
    stage("search")
    stage("ablate", SWEEP, "ablate.choose_on=public")
    chosen = table(tmp_path, "sweep.csv")
    solution = pd.read_csv(arrays / "retrieval_solution.csv")
    solution.loc[solution["Usage"] == "Private", "images"] = "i000"
    solution.to_csv(arrays / "retrieval_solution.csv", index=False)
    assert stage("ablate", SWEEP, "ablate.choose_on=public") == 0
    other = table(tmp_path, "sweep.csv")
    pd.testing.assert_frame_equal(other[["chain", "choosing"]], chosen[["chain", "choosing"]])
    assert (other["scoring"].dropna() != chosen["scoring"].dropna()).all()


def test_without_a_sweep_the_one_of_an_earlier_run_does_not_stay(stage, tmp_path):
    stage("search")
    stage("ablate", SWEEP)
    assert stage("ablate") == 0
    assert {path.name for path in (tmp_path / "out/ablate").iterdir()} == {"ablation.csv", "ablation.md", "ablation.tex", "ablation.svg"}


def test_an_empty_chain_is_the_search_alone(stage, tmp_path):
    stage("search")
    assert stage("ablate", "rerank=[]") == 0
    rows = table(tmp_path)
    assert rows["row"].tolist() == ["knn"] and rows["change"].isna().all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["ablate.sweep.srot.neighbours=[3]"], "did you mean sort?"),
        (["ablate.sweep.sort.neighbors=[3]"], "did you mean neighbours?"),
        (["ablate.sweep.discriminate.dimensions=[8]"], "the chain has no such step"),
        (["whiten.dimensions=4"], "made with other settings"),
    ],
)
def test_mistakes_stop_with_code_2_before_anything_is_made(stage, tmp_path, capsys, overrides, message):
    stage("search")
    before = made(tmp_path)
    assert stage("ablate", *overrides) == 2
    error = capsys.readouterr().err
    assert message in error and "next:" in error
    assert made(tmp_path) == before and not (tmp_path / "out/ablate").exists()


def test_before_the_search_and_without_a_solution_it_says_what_is_missing(stage, arrays, tmp_path, capsys):
    assert stage("ablate") == 2
    assert "./run.sh search" in capsys.readouterr().err
    stage("search")
    capsys.readouterr()
    (arrays / "retrieval_solution.csv").unlink()
    assert stage("ablate") == 2
    assert "nothing to score against" in capsys.readouterr().err


def test_peak_memory_and_seconds_are_those_of_the_manifests(stage, tmp_path):
    stage("search")
    stage("ablate")
    rows = table(tmp_path).set_index("row")
    manifests = {
        name: json.loads((tmp_path / "out/rankings" / name / "manifest.json").read_text())
        for name in ("knn", "sort", "sort+insert", "expand_query(neighbours=3)")
    }
    first = manifests["expand_query(neighbours=3)"]
    assert rows.loc["+ expand_query(neighbours=3)", "seconds"] == pytest.approx(first["step_seconds"], abs=6e-4)
    assert rows.loc["+ expand_query(neighbours=3)", "peak_megabytes"] == first["peak_megabytes"]
    left_out = rows.loc["- expand_query(neighbours=3)"]
    assert left_out["peak_megabytes"] == max(manifests[name]["peak_megabytes"] for name in ("sort", "sort+insert"))
    seconds = manifests["knn"]["seconds"] + manifests["sort"]["step_seconds"] + manifests["sort+insert"]["step_seconds"]
    assert left_out["total_seconds"] == pytest.approx(seconds, abs=2e-3) and np.isnan(left_out["seconds"])


def test_recognition_is_compared_by_gap_with_an_interval(stage, arrays, tmp_path, capsys):
    protocol = "evaluate.protocol=recognition"
    assert stage("search", protocol) == 0 and stage("ablate", protocol) == 2
    assert "no recognition_solution*.csv" in (said := capsys.readouterr().err) and "recognize.solution=FILE" in said
    shown = [str(100 + n % 6) if n < 18 else "" for n in range(24)]
    table_of = pd.DataFrame({"id": [f"t{n:03d}" for n in range(24)], "landmarks": shown, "Usage": ["Private", "Public"] * 12})
    table_of.to_csv(arrays / "recognition_solution.csv", index=False)
    assert stage("ablate", protocol) == 0
    assert "GAP in percent (queries: 12 private, 12 public, 6 of them distractors). change: of GAP over" in capsys.readouterr().out
    rows = table(tmp_path).set_index("row")
    assert stage("rerank", protocol) == 0 and stage("recognize", protocol) == 0
    scores = json.loads((tmp_path / "out/recognition/metrics.json").read_text())["chains"][WHOLE]
    whole = rows.loc["= all steps"]
    assert [whole["gap_private"], whole["gap_public"]] == pytest.approx([scores["gap_private"], scores["gap_public"]], abs=1e-3)
    assert whole["change_low"] <= whole["change"] <= whole["change_high"] and whole["queries"] == 24
    assert rows.loc["+ insert", ["change", "change_low", "change_high"]].tolist() == [0, 0, 0], "the same vectors"
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/ablate/predictions").glob("*/submission.csv")}
    assert len(kept) == len(rows["chain"].unique())
    sweep = "ablate.sweep={expand_query: {neighbours: [2, 4]}}"
    assert stage("ablate", protocol, sweep) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items()), "what is there is not made again"
    assert len(table(tmp_path, "sweep.csv")) == 3
    capsys.readouterr()
    path = next(iter(kept))
    path.write_text(path.read_text().replace("t000,", "t000 ,"))
    assert stage("ablate", protocol) == 2
    said = capsys.readouterr().err
    assert f"to make it again: rm -r {shlex.quote(str(path.parent))} && ./run.sh ablate" in said
    shutil.rmtree(path.parent)
    assert stage("ablate", protocol) == 0 and path.is_file(), "the advice, followed"
    assert stage("ablate", protocol, "rerank=[]") == 0 and table(tmp_path)["row"].tolist() == ["knn"]
