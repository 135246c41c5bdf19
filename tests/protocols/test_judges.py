"""What a protocol tells of queries beside their scores, and what ablations and reports make of it."""

import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.scoring.protocol import protocol_named
from tests.protocols.test_places_path import run as run_places
from tests.protocols.test_revisited_path import run, truth_of

CHAIN = "rerank=[{step: expand_query, neighbours: 2}, {step: verify, top: 4}]"
WHOLE = "expand_query(neighbours=2)+verify(top=4)"


def judge_of(source, folder, out, *overrides):
    config = load_config(None, [f"dataset.source={source}", f"dataset.folder={folder}", f"run.folder={out}", *overrides])
    return protocol_named(config.protocol).judge(config)


def test_an_ablation_of_revisited_oxford_compares_medium_and_has_the_scores_of_evaluate(roxford, tmp_path, capsys):
    out = tmp_path / "out"
    settings = (CHAIN, "search.neighbours=7", "extract.local.images=all", "ablate.samples=200")
    assert run(roxford, out, *settings) == 0
    capsys.readouterr()
    assert run(roxford, out, *settings, stages=["ablate"]) == 0
    printed = capsys.readouterr().out
    assert "mAP over the whole index in percent (queries: 3 easy, 3 medium, 2 hard). change: of mAP Medium" in printed
    rows, chains = pd.read_csv(out / "ablate/ablation.csv"), json.loads((out / "metrics.json").read_text())["chains"]
    assert rows["row"].tolist()[3:] == ["= all steps", "- expand_query(neighbours=2)", "- verify(top=4)"]
    for row in rows[:4].itertuples():
        assert [row.map_easy, row.map_medium, row.map_hard] == pytest.approx(
            [chains[row.chain][f"map_{difficulty}"] for difficulty in ("easy", "medium", "hard")], abs=1e-3
        )
    queries = pd.read_csv(out / "per_query.csv")
    change = queries[f"{WHOLE} medium"] - queries["knn medium"]
    whole = rows[rows["row"] == "= all steps"].iloc[0]
    assert whole["change"] == pytest.approx(change.mean(), abs=1e-3) and whole["change_low"] <= whole["change"] <= whole["change_high"]
    assert (whole["helped"], whole["hurt"]) == ((change > 1e-6).sum(), (change < -1e-6).sum())
    # Without its first step the chain verifies too, each difficulty without its own junk.
    assert len(list((out / "rankings").glob("remove_junk*+verify(top=4)"))) == 3
    assert "| easy | medium | hard |" in (out / "ablate/ablation.md").read_text()


def test_a_sweep_on_a_benchmark_is_chosen_on_the_queries_of_half_its_landmarks(roxford, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for split, images in (("index", 18), ("test", 3)):
        np.save(roxford / f"{split}.npy", rng.standard_normal((images, 12)).astype(np.float32))
    settings = ("rerank=[{step: expand_query}]", "ablate.sweep={expand_query: {neighbours: [1, 2, 3]}}", "ablate.samples=200")
    assert run(roxford, tmp_path / "out", *settings, stages=["prepare", "search", "ablate"], model=[]) == 0
    sweep = pd.read_csv(tmp_path / "out/ablate/sweep.csv")
    assert len(sweep) == 4 and sweep["choosing"].is_monotonic_decreasing and sweep["scoring"].notna().sum() in (1, 2)
    assert "chosen on 1 queries (those of half the landmarks" in capsys.readouterr().out
    assert run(roxford, tmp_path / "out", *settings, "ablate.choose_on=public", stages=["ablate"], model=[]) == 2
    assert "ablate.choose_on=half" in capsys.readouterr().err


def frames_of(page, query):
    """The (verdict, index id) of all that is shown of a query."""
    part = page[page.index(f"query {query}") :]
    return re.findall(r'figure class="(\w+)"><div class="frame" title="([^"]+)"', part.split("<h3>")[0])


def test_the_report_of_a_benchmark_frames_right_wrong_and_junk(roxford, tmp_path):
    out = tmp_path / "out"
    assert run(roxford, out, CHAIN, "search.neighbours=7") == 0
    text = (out / "report/index.html").read_text()
    assert "mAP over the whole index, percent" in text and "<th>medium</th>" in text and "AP Medium" in text
    index_ids = pickle.loads((roxford / "gnd_roxford5k.pkl").read_bytes())["imlist"]
    judge, verdicts = judge_of("revisited", roxford, out), set()
    for number, truth in enumerate(truth_of(roxford)["medium"]):
        query = f"college_{number:06d}"
        positives, junk = ({index_ids[image] for image in images} for images in truth)
        assert judge.true_images(query) == positives and judge.ignored_images(query) == junk
        for verdict, image in frames_of(text, query):
            assert verdict == ("right" if image in positives else "ignored" if image in junk else "wrong")
            verdicts.add(verdict)
    assert verdicts == {"right", "wrong", "ignored"}
    # The query is shown as it is searched with: the box of 95 x 96 pixels out of 192 x 144.
    name = re.search(r'src="([^"]+)" alt="college_000001"', text).group(1)
    with Image.open(out / "report" / name) as picture:
        assert picture.size == (96, 96)


def test_a_query_that_could_not_be_described_finds_nothing(roxford, tmp_path):
    (roxford / "jpg" / "college_000001.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    assert run(roxford, out, "extract.on_error=skip") == 0
    queries = pd.read_csv(out / "per_query.csv").set_index("id")
    assert queries.loc["college_000001", ["knn easy", "knn medium", "knn hard"]].tolist() == [0, 0, 0]
    numbers = json.loads((out / "metrics.json").read_text())["chains"]["knn"]
    assert numbers["map_medium"] == pytest.approx(queries["knn medium"].mean(), abs=1e-3) and queries["knn medium"].max() > 0
    assert numbers["precision_at_1_easy"] == pytest.approx(200 / 3, abs=1e-3)


def test_queries_of_one_landmark_or_place_show_the_same(roxford, pitts, tmp_path):
    assert run(roxford, tmp_path / "out", stages=["prepare", "train", "extract", "search"]) == 0
    assert judge_of("revisited", roxford, tmp_path / "out").subjects() == ["easy_0_000000", "easy_1_000003", "easy_2_000006"]
    assert run_places("places", pitts, tmp_path / "places", stages=["prepare"]) == 0
    subjects = judge_of("places", pitts, tmp_path / "places").subjects()
    assert len(set(subjects)) == 4 and subjects[3].startswith("none near ")


def test_places_are_ablated_by_their_first_image_and_shown(pitts, tmp_path, capsys):
    out = tmp_path / "out"
    chain = ("rerank=[{step: expand_query, neighbours: 1}]", "ablate.samples=200")
    assert run_places("places", pitts, out, *chain) == 0
    assert run_places("places", pitts, out, *chain, stages=["ablate"]) == 0
    assert "change: of Recall@1" in capsys.readouterr().out
    rows, queries = pd.read_csv(out / "ablate/ablation.csv"), pd.read_csv(out / "per_query.csv")
    name = "expand_query(neighbours=1)"
    assert rows["recall_at_1"].tolist() == pytest.approx([100 * queries[one].mean() for one in rows["chain"]])
    assert rows.set_index("row").loc[f"+ {name}", "change"] == pytest.approx(100 * (queries[name] - queries["knn"]).mean())
    assert queries["relevant"].tolist() == [2, 2, 2, 0]
    text = (out / "report/index.html").read_text()
    assert "Recall@N, percent" in text and "R@1 1.0 → " in text and 'class="right"' in text and 'class="wrong"' in text
