"""Retrieval on lists worked by hand: three scored queries, of which one was not searched for."""

import numpy as np
import pandas as pd
import pytest

from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.protocols import retrieval as module
from landmarks.protocols.retrieval import Retrieval
from landmarks.ranking import Ranking

SOLUTION = "id,images,Usage\nq2,i4 i3,Public\nq0,i0 i1,Private\nq1,i2,Private\nq3,None,Ignored\n"


def strings(letter, count):
    return np.array([f"{letter}{n}" for n in range(count)], object)


@pytest.fixture
def config(tmp_path):
    tables = {"train.csv": ["id,landmark_id"], "index.csv": ["id", *strings("i", 6)], "test.csv": ["id", *strings("q", 4)]}
    for name, lines in tables.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "retrieval_solution.csv").write_text(SOLUTION)
    return load_config(None, [f"dataset.folder={tmp_path}", f"run.folder={tmp_path / 'run'}"])


@pytest.fixture
def judge(config, monkeypatch):
    indices = np.array([[5, 3, 0], [0, 5, 1]], np.int32)
    scores = np.tile(np.array([3, 2, 1], np.float32), (2, 1))
    ranking = Ranking(np.array(["q2", "q0"], object), strings("i", 6), indices, scores)
    monkeypatch.setattr(module, "read_chain_ranking", lambda config, chain: ranking)
    return Retrieval().judge(config)


def test_private_and_public_queries_are_averaged_apart_and_one_without_a_list_finds_nothing(judge):
    judged = judge.judge(())
    assert judge.queries["id"].tolist() == ["q2", "q0", "q1"] and judge.queries["relevant"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(judged.decisive, [(1 / 2) / 2, (1 + 2 / 3) / 2, 0])
    assert judged.numbers["map_private"] == pytest.approx(100 * 5 / 12, abs=1e-4) and judged.numbers["map_public"] == 25
    assert judged.numbers["precision_at_1"] == pytest.approx(100 / 3, abs=1e-4)
    assert judged.numbers["precision_at_10"] == pytest.approx(100 * (0.1 + 0.2) / 3, abs=1e-4)
    assert judged.numbers["mean_first_position"] == pytest.approx((2 + 1 + 4) / 3) and judged.numbers["median_first_position"] == 2
    np.testing.assert_array_equal(np.isnan(judged.measures["map_private"]), [True, False, False])
    assert judge.counts == {"Private": 2, "Public": 1} and judge.public().tolist() == [True, False, False]
    assert judge.tabled(judged.numbers).keys() == {"map_private", "map_public"} and judge.choices == {"solution": "retrieval_solution.csv"}
    np.testing.assert_allclose(judge.per_query("sort", judged)["sort"], [25, 83.3333, 0])


def test_a_query_s_subject_is_its_first_true_image_by_id(judge):
    assert judge.subjects() == ["i3", "i0", "i2"]
    assert judge.true_images("q2") == {"i3", "i4"} and judge.true_images("q3") == set() == judge.ignored_images("q2")


def test_groups_are_scored_apart_where_the_dataset_has_them(config, judge):
    table = pd.DataFrame({"group": judge.queries["group"], "knn": [25.0, 80.0, 0.0]})
    assert set(table["group"]) == {"all"} and judge.more_results(table, ["knn"])["groups"] == {}
    (config.dataset.folder / "query_groups.csv").write_text("id,group\nq1,inside\nq9,outside\nq0,inside\n")
    groups = Retrieval().judge(config).queries["group"]
    assert groups.tolist() == ["other", "inside", "inside"]
    assert judge.more_results(table.assign(group=groups), ["knn"])["groups"] == {"inside": {"knn": 40.0}, "other": {"knn": 25.0}}
    (config.dataset.folder / "query_groups.csv").write_text("id,group\nq1,inside\nq1,outside\n")
    with pytest.raises(UserError, match="duplicate id 'q1'"):
        Retrieval().judge(config)


def test_a_dataset_without_a_solution_has_no_judge(config):
    (config.dataset.folder / "retrieval_solution.csv").unlink()
    assert Retrieval().judge(config) is None


@pytest.fixture
def submission(config):
    path = config.dataset.folder / "mine.csv"
    path.write_text("id,images\nq0,i0 i5 i1\nq1,\nq2,i5 i3\nq3,i0\n")
    return path


def test_a_file_is_scored_as_its_lists_say(config, submission, capsys):
    Retrieval().score_file(config, submission)
    assert capsys.readouterr().out.splitlines() == [
        f"{submission}: mAP@100 private 41.67 (2 queries)",
        f"{submission}: mAP@100 public 25.00 (1 queries)",
    ]


def test_a_usage_without_queries_has_no_line_and_no_query_at_all_is_an_error(config, submission, capsys):
    solution = config.dataset.folder / "retrieval_solution.csv"
    solution.write_text(SOLUTION.replace("Private", "Ignored"))
    Retrieval().score_file(config, submission)
    assert capsys.readouterr().out == f"{submission}: mAP@100 public 25.00 (1 queries)\n"
    solution.write_text("id,images,Usage\nq3,None,Ignored\n")
    with pytest.raises(UserError, match="no scored query"):
        Retrieval().score_file(config, submission)
