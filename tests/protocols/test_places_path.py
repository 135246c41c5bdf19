"""Miniatures of Pitts30k and MSLS, from their authors' folders to the table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.search.rankings import read_ranking
from landmarks.store.tables import read_ids
from tests.protocols.conftest import MODEL


def run(source, folder, out, *overrides, stages=("run",)):
    (out.parent / "empty.yaml").write_text("{}\n")
    settings = [f"dataset.source={source}", f"dataset.folder={folder}", f"run.folder={out}", *MODEL, *overrides]
    for stage in stages:
        code = main([stage, "--config", str(out.parent / "empty.yaml"), *settings])
        if code:
            return code
    return 0


def numbers_of(out, chain="knn"):
    return json.loads((out / "metrics.json").read_text())["chains"][chain]


def test_pitts_the_whole_path_scores_as_the_file_names_say(pitts, tmp_path):
    out = tmp_path / "out"
    assert run("places", pitts, out, "rerank=[{step: verify, top: 3}]") == 0
    for chain in ("knn", "verify(top=3)"):
        ranking = read_ranking(out / "rankings" / chain)
        place = [np.array([[float(part) for part in id.split("@")[1:3]] for id in ids]) for ids in (ranking.query_ids, ranking.index_ids)]
        near = np.linalg.norm(place[0][:, None] - place[1][None], axis=2) <= 25
        for at in (1, 5, 10, 20):
            hits = [any(near[q, image] for image in row[:at] if image >= 0) for q, row in enumerate(ranking.indices)]
            assert numbers_of(out, chain)[f"recall_at_{at}"] == pytest.approx(100 * np.mean(hits))
    # The very picture lies 20 metres off for the first place (a hit), 30 metres off for the second (a miss), and at hand for the third.
    assert pd.read_csv(out / "per_query.csv")["knn"].tolist() == [1, 0, 1, 0]
    assert numbers_of(out)["recall_at_1"] == 50.0 and numbers_of(out)["recall_at_20"] == 75.0, "a place that the index lacks is missed"


def test_the_radius_and_who_is_left_out_are_choices(pitts, tmp_path):
    out = tmp_path / "out"
    assert run("places", pitts, out, "places.metres=30") == 0
    assert numbers_of(out)["recall_at_1"] == 75.0
    assert run("places", pitts, out, "places.skip_without_positives=true", stages=["evaluate"]) == 0
    assert numbers_of(out)["recall_at_1"] == pytest.approx(200 / 3, abs=1e-3)
    results = json.loads((out / "metrics.json").read_text())
    assert results["choices"]["same place"] == "25 m" and results["choices"]["queries without a positive"] == "left out"
    assert results["queries"] == {"scored": 3, "without a positive": 1}


def test_the_same_name_in_both_folders_is_two_images(pitts, tmp_path):
    query = next((pitts / "queries").iterdir())
    (pitts / "database" / query.name).write_bytes(query.read_bytes())
    assert run("places", pitts, tmp_path / "out") == 0


def test_what_is_wrong_with_a_folder_of_places_is_said(pitts, tmp_path, capsys):
    assert run("places", pitts.parent, tmp_path / "out", stages=["prepare"]) == 2
    assert "no folder 'database' here; there is test" in capsys.readouterr().err
    bad = pitts / "queries" / "IMG_0001.jpg"
    bad.write_bytes(b"x")
    assert run("places", pitts, tmp_path / "out", stages=["prepare"]) == 2
    told = capsys.readouterr().err
    assert "has no position" in told and "IMG_0001.jpg" in told
    for path in (pitts / "queries").iterdir():
        path.unlink()
    assert run("places", pitts, tmp_path / "out", stages=["prepare"]) == 2
    assert "no pictures" in capsys.readouterr().err


def test_a_dataset_of_one_s_own_with_positions_in_its_tables(pitts, tmp_path, capsys):
    """What `prepare` writes is what anyone may write."""
    out = tmp_path / "out"
    assert run("places", pitts, out) == 0
    first = numbers_of(out)
    own = (f"dataset.folder={out / 'dataset'}", "dataset.source=folder")
    assert run("places", pitts, tmp_path / "own", *own, "evaluate.protocol=places", stages=["train", "extract", "search", "evaluate"]) == 0
    second = numbers_of(tmp_path / "own")
    assert [first[f"recall_at_{at}"] for at in (1, 5)] == [second[f"recall_at_{at}"] for at in (1, 5)]
    assert run("places", pitts, tmp_path / "own", *own, "evaluate.protocol=places", "places.degrees=40", stages=["evaluate"]) == 2
    assert "the tables have none" in capsys.readouterr().err
    assert run("places", pitts, tmp_path / "own", *own, "evaluate.protocol=places", "places.query_frames=3", stages=["evaluate"]) == 2
    assert "asks for sequences" in capsys.readouterr().err


def test_msls_the_whole_path(msls, tmp_path):
    out = tmp_path / "out"
    assert run("msls", msls, out, "places.degrees=40", "places.skip_without_positives=true", "rerank=[{step: verify, top: 3}]") == 0
    assert len(read_ids(out / "dataset" / "test.csv")) == 18, "two panoramas are left out"
    # Each database picture is the query's own; the second drive's look the other way, and so are no positives.
    assert numbers_of(out)["recall_at_1"] == 100.0
    assert json.loads((out / "metrics.json").read_text())["queries"] == {"scored": 10, "without a positive": 8}
    assert run("msls", msls, out, "places.skip_without_positives=true", stages=["evaluate"]) == 0
    results = json.loads((out / "metrics.json").read_text())
    assert results["queries"] == {"scored": 18, "without a positive": 0} and results["choices"]["same place"] == "25 m"


def test_msls_by_subtask_and_city(msls, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("msls", msls, out, "places.subtask=s2w", "places.cities=[sf]", stages=["prepare"]) == 0
    assert read_ids(out / "dataset" / "test.csv").tolist() == [f"query@sf@sfq{n:02d}" for n in (0, 2, 4, 6, 8)]
    assert run("msls", msls, tmp_path / "other", "places.cities=[oslo]", stages=["prepare"]) == 2
    assert "oslo" in capsys.readouterr().err
    assert run("msls", msls, tmp_path / "other", "places.subtask=d2n", stages=["prepare"]) == 2
    assert "no column d2n" in capsys.readouterr().err


def recall_of_sequences(ranking, query, index):
    """From the ids alone: city@key, whose number is 5 * drive + frame; frames of a drive are 15 metres apart."""

    def windows(ids, length):
        where = {(id.split("@")[1], int(id[-2:])): row for row, id in enumerate(ids)}
        runs = [[(city, first + n) for n in range(length)] for city, first in where]
        return [[where[one] for one in run] for run in runs if set(run) <= set(where) and len({n // 5 for _, n in run}) == 1]

    def near(a, b):
        (city, n), (other, m) = ((id.split("@")[1], int(id[-2:])) for id in (a, b))
        return city == other and n // 5 == m // 5 and abs(n - m) * 15 <= 25

    entries, hits = windows(ranking.index_ids, index), {1: [], 5: []}
    for rows in windows(ranking.query_ids, query):
        scores = []
        for entry in entries:
            lists = [ranking.indices[row].tolist() for row in rows]
            scores.append(sum(1 / (61 + min(one.index(image) for image in entry)) for one in lists))
        order = sorted(range(len(entries)), key=lambda n: (-scores[n], n))
        right = [any(near(ranking.query_ids[q], ranking.index_ids[i]) for q in rows for i in entries[n]) for n in order]
        for at in hits:
            hits[at].append(any(right[:at]))
    return {at: np.mean(values) for at, values in hits.items()}


@pytest.mark.parametrize(("query", "index"), [(3, 1), (1, 3), (3, 3)])
def test_msls_in_sequences(msls, tmp_path, query, index):
    out = tmp_path / "out"
    frames = (f"places.query_frames={query}", f"places.index_frames={index}")
    assert run("msls", msls, out, *frames, "places.skip_without_positives=true", "search.neighbours=20") == 0
    results = json.loads((out / "metrics.json").read_text())
    # Five frames make three sequences of three, also where the last frame is a panorama: as in the authors' code the middle one counts.
    assert results["queries"]["scored"] == (2 * (3 + 3) if query == 3 else 18)
    assert results["choices"]["sequences"] == f"{query} frames against {index}"
    expected = recall_of_sequences(read_ranking(out / "rankings" / "knn"), query, index)
    assert [results["chains"]["knn"][f"recall_at_{at}"] for at in (1, 5)] == pytest.approx([100 * expected[at] for at in (1, 5)])


def test_msls_tables_that_do_not_belong_together(msls, tmp_path, capsys):
    path = msls / "train_val" / "sf" / "query" / "raw.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert run("msls", msls, tmp_path / "out", stages=["prepare"]) == 2
    assert "its rows are not those of postprocessed.csv" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pitts30k", "tokyo247", "msls"])
def test_the_configurations_are_valid(name):
    assert load_config(Path(__file__).parents[2] / "configs" / f"{name}.yaml").protocol == "places"


def test_an_even_number_of_frames_is_refused(msls, tmp_path, capsys):
    assert run("msls", msls, tmp_path / "out", "places.query_frames=2", stages=["prepare"]) == 2
    assert "must be odd" in capsys.readouterr().err
