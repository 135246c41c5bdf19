"""A page that opens from disk, whatever the dataset offers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks.config import load_config
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.ranking import Ranking
from landmarks.search.rankings import ranking_settings, write_ranking
from landmarks.stages.evaluate import evaluate
from landmarks.stages.report import report
from landmarks.store.artefact import Artefact, read_manifest

QUERIES = np.array(["aaa0", "aaa1", "aaa2"], dtype=object)
INDEX = np.array(["bbb0", "bbb1", "bbb2", "bbb3"], dtype=object)


@pytest.fixture
def config(tmp_path):
    """Three queries, four index images; sorting helps the first query and hurts the second."""
    dataset, run = tmp_path / "dataset", tmp_path / "run"
    dataset.mkdir()
    (dataset / "train.csv").write_text("id,landmark_id\nccc0,1\nccc1,2\n")
    (dataset / "index.csv").write_text("\n".join(["id", *INDEX]) + "\n")
    (dataset / "test.csv").write_text("\n".join(["id", *QUERIES]) + "\n")
    (dataset / "retrieval_solution.csv").write_text("id,images,Usage\naaa0,bbb0,Private\naaa1,bbb1,Public\naaa2,None,Ignored\n")
    for split, ids in (("test", QUERIES), ("index", INDEX)):
        for n, id in enumerate(ids):
            image_path(dataset, split, id).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (400, 300), (40 * n, 90, 200)).save(image_path(dataset, split, id))
    orders = {"knn": [[1, 0, 2], [1, 0, 2], [3, 2, -1]], "sort": [[0, 1, 2], [0, 1, 2], [3, 2, -1]]}
    settings = {
        "knn": {"weights": {}, "whiten": {"dimensions": 0}, "neighbours": 100},
        "sort": {"chain": [{"step": "sort", "neighbours": 3}]},
    }
    inputs = {}
    for name, order in orders.items():
        indices = np.array(order, np.int32)
        scores = np.where(indices >= 0, np.array([0.9, 0.8, 0.7], np.float32), np.float32(-np.inf)).astype(np.float32)
        artefact = Artefact(run / "rankings" / name, "search" if name == "knn" else "rerank", settings[name], inputs)
        inputs = {"knn": artefact.fingerprint}
        artefact.begin()
        write_ranking(artefact.folder, Ranking(QUERIES, INDEX, indices, scores))
        artefact.finish()
    pd.DataFrame({"chain": ["knn", "sort"], "map_private": [50.0, 100.0], "map_public": [100.0, 50.0], "seconds": [0.1, 0.2]}).to_csv(
        run / "ablation.csv", index=False
    )
    pd.DataFrame(
        {
            "id": QUERIES[:2],
            "usage": ["Private", "Public"],
            "group": ["outside", "inside"],
            "relevant": [1, 1],
            "knn": [50.0, 100.0],
            "sort": [100.0, 50.0],
        }
    ).to_csv(run / "per_query.csv", index=False)
    return load_config(None, [f"dataset.folder={dataset}", f"run.folder={run}", "rerank=[{step: sort}]"])


def pictures(index_page: Path) -> list[str]:
    return re.findall(r'src="([^"]+)"', index_page.read_text(encoding="utf-8"))


def test_the_page_shows_scores_and_both_rankings(config):
    index_page = report(config)
    text = index_page.read_text(encoding="utf-8")
    assert "<td>+ sort</td><td>100.00</td><td>+50.00</td><td>50.00</td>" in text
    assert "<td>inside</td><td>1</td><td>100.00</td><td>50.00</td>" in text
    assert text.index("Most gained") < text.index("query aaa0") < text.index("Most lost") < text.index("query aaa1")
    assert "AP 50.0 → 100.0 · 1 true image · outside · Private" in text
    gained = text[text.index("query aaa0") : text.index("Most lost")]
    assert re.findall(r'figure class="(\w+)"', gained) == ["wrong", "right", "wrong", "right", "wrong", "wrong"]
    assert re.findall(r"[✓✗] ([\d.]+)", gained) == ["0.900", "0.800", "0.700", "0.800", "0.900", "0.700"]  # kNN's, in both rows
    assert len(pictures(index_page)) == 2 + 2 * 2 * 3
    for name in pictures(index_page):
        with Image.open(index_page.parent / name) as image:
            assert image.format == "JPEG" and max(image.size) == 224


def add_ranking(config, steps, scores):
    """A ranking of the chain `steps`: every list is bbb2, bbb1, bbb0 with these scores."""
    name = "+".join(steps)
    wanted = load_config(None, [f"rerank=[{', '.join(f'{{step: {step}}}' for step in steps)}]"])
    knn = read_manifest(config.run.folder / "rankings" / "knn")["fingerprint"]
    artefact = Artefact(config.run.folder / "rankings" / name, "rerank", ranking_settings(config, wanted.rerank), {"knn": knn})
    artefact.begin()
    indices = np.tile(np.array([2, 1, 0], np.int32), (3, 1))
    write_ranking(artefact.folder, Ranking(QUERIES, INDEX, indices, np.tile(np.array(scores, np.float32), (3, 1))))
    artefact.finish()
    return config.model_copy(update={"rerank": wanted.rerank})


@pytest.mark.parametrize("last", [[], ["sort"]])
def test_numbers_are_similarities_of_the_vectors_that_the_list_was_searched_with(config, last):
    changed = add_ranking(config, ["expand_query"], [0.77, 0.66, 0.55])
    if last:
        changed = add_ranking(config, ["expand_query", *last], [3, 2, 1])  # places, no similarities
    names = ["knn", "expand_query", *(["expand_query+sort"] if last else [])]
    scores = dict.fromkeys(names, [50.0, 100.0]) | {names[-1]: [100.0, 50.0]}
    pd.DataFrame({"id": QUERIES[:2], "relevant": [1, 1]} | scores).to_csv(config.run.folder / "per_query.csv", index=False)
    table = {"chain": names, "map_private": 50.0, "map_public": 50.0, "seconds": 0.1}
    pd.DataFrame(table).to_csv(config.run.folder / "ablation.csv", index=False)
    text = report(changed).read_text(encoding="utf-8")
    gained = text[text.index("query aaa0") : text.index("Most lost")]
    assert re.findall(r"[✓✗] ([\d.]+)", gained) == ["0.900", "0.800", "0.700", "0.770", "0.660", "0.550"], "each list has its own"
    assert ("expand_query + sort (numbers: similarities of expand_query)" in text) == bool(last)
    assert "<td>+ expand_query</td>" in text and (">+ sort<" in text) == bool(last) and "expand_query+sort" not in text


def test_what_looks_the_same_has_not_changed(config):
    path = config.run.folder / "per_query.csv"
    path.write_text(path.read_text().replace("100.0,50.0", "50.04,50.01").replace("50.0,100.0", "99.99,100.0"))
    text = report(config).read_text(encoding="utf-8")
    assert "Most gained" not in text and "Most lost" not in text and "Worst" not in text
    assert "Lowest of those that did not lose" in text and "AP 50.0 → 50.0 · 1 true image ·" in text
    assert text.index("Best") < text.index("AP 100.0 → 100.0")


def test_the_seconds_are_said_to_be_those_so_far(config):
    text = report(config).read_text(encoding="utf-8")
    assert "<th>seconds in all</th>" in text and "the search and all steps so far" in text


def test_a_second_run_is_up_to_date_and_new_scores_are_not(config, capsys):
    index_page = report(config)
    before = index_page.stat().st_mtime_ns
    report(config)
    assert "report: up to date" in capsys.readouterr().out
    assert index_page.stat().st_mtime_ns == before
    path = config.run.folder / "ablation.csv"
    path.write_text(path.read_text().replace("sort,100.0", "sort,77.0"))
    assert "77.00" in report(config).read_text(encoding="utf-8")


def test_without_pictures_there_are_table_and_chart(config):
    for path in config.dataset.folder.rglob("*.jpg"):
        path.unlink()
    index_page = report(config)
    text = index_page.read_text(encoding="utf-8")
    assert "<svg" in text and "<td>+ sort</td>" in text and "Most gained" not in text
    assert [path.name for path in index_page.parent.iterdir() if path.suffix == ".jpg"] == []


def test_a_missing_picture_leaves_its_id(config):
    image_path(config.dataset.folder, "index", "bbb1").write_bytes(b"\xff\xd8 cut off")
    text = report(config).read_text(encoding="utf-8")
    assert 'title="bbb1">bbb1</div>' in text


def test_without_a_solution_the_pictures_have_no_verdict(config):
    (config.dataset.folder / "retrieval_solution.csv").unlink()
    text = report(config).read_text(encoding="utf-8")
    assert "query aaa2" in text and set(re.findall(r'figure class="(\w+)"', text)) == {"ignored"}
    assert "<table>" not in text


def test_an_empty_chain_has_one_ranking(config):
    alone = config.model_copy(update={"rerank": ()})
    assert "AP 50.0 · 1 true image ·" in report(alone).read_text(encoding="utf-8")


def test_scores_of_another_chain_are_refused(config):
    path = config.run.folder / "per_query.csv"
    path.write_text(path.read_text().replace(",sort", ",other"))
    with pytest.raises(UserError, match="no column sort"):
        report(config)


def test_no_scored_query_still_makes_a_page(config):
    (config.run.folder / "per_query.csv").write_text("id,usage,group,relevant,knn,sort\n")
    (config.run.folder / "ablation.csv").write_text("chain,map_private,map_public,seconds\nknn,,,0.1\nsort,,,0.2\n")
    assert "<td>–</td>" in report(config).read_text(encoding="utf-8")


def test_scores_by_another_ground_truth_are_refused_and_the_page_is_made_again(config):
    evaluate(config)
    report(config)
    path = config.dataset.folder / "retrieval_solution.csv"
    path.write_text(path.read_text().replace("Public", "Private"))
    with pytest.raises(UserError, match=r"another ground truth[\s\S]*evaluate"):
        report(config)
    evaluate(config)
    assert ">private<" in report(config).read_text(encoding="utf-8")
    named = path.rename(path.with_name("other.csv"))
    with pytest.raises(UserError, match="made with another solution"):
        report(config.model_copy(update={"dataset": config.dataset.model_copy(update={"solution": named.name})}))
