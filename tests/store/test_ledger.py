from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from landmarks.errors import UserError
from landmarks.store import ledger
from landmarks.store.ledger import COLUMNS, add_to_ledger, read_ledger, read_numbers, read_published, write_numbers


def line(chain, numbers="map_private=1", date="2026-01-01", **more):
    return dict.fromkeys(COLUMNS, "x") | {"chain": chain, "numbers": numbers, "date": date} | more


def test_lines_are_added_behind_those_that_are_there(tmp_path):
    path = tmp_path / "results.csv"
    add_to_ledger(path, [line("knn"), line("knn+sort", choices='a, "b"; c: d')])
    add_to_ledger(path, [line("insert")])
    assert read_ledger(path)["chain"].tolist() == ["knn", "knn+sort", "insert"]
    assert read_ledger(path).iloc[1].to_dict() == line("knn+sort", choices='a, "b"; c: d')


def test_the_same_evaluation_keeps_its_line_and_other_numbers_replace_it(tmp_path):
    path = tmp_path / "results.csv"
    add_to_ledger(path, [line("knn"), line("sort")])
    before = path.stat().st_mtime_ns
    add_to_ledger(path, [line("sort", date="2027-01-01"), line("knn", date="2027-01-01")])
    assert path.stat().st_mtime_ns == before
    add_to_ledger(path, [line("knn", numbers="map_private=2", date="2027-01-01")])
    assert read_ledger(path)[["chain", "numbers", "date"]].to_numpy().tolist() == [
        ["knn", "map_private=2", "2027-01-01"],
        ["sort", "map_private=1", "2026-01-01"],
    ]


@pytest.mark.parametrize("column", ["model", "chain", "protocol", "dataset", "choices", "fingerprint"])
def test_whatever_changes_the_number_makes_another_evaluation(tmp_path, column):
    add_to_ledger(tmp_path / "r.csv", [line("knn"), line("knn") | {column: "another"}, line("knn")])
    assert len(read_ledger(tmp_path / "r.csv")) == 2


def test_cut_off_while_writing_the_ledger_is_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    add_to_ledger(path, [line("knn")])
    before = path.read_bytes()

    def killed(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger.pd.DataFrame, "to_csv", killed)
    with pytest.raises(KeyboardInterrupt):
        add_to_ledger(path, [line("sort")])
    assert path.read_bytes() == before and not list(tmp_path.glob("*.part"))


def add_ten(path, name):
    for number in range(10):
        add_to_ledger(path, [line(f"{name}{number}")])


def test_runs_that_end_together_lose_no_line(tmp_path):
    path = tmp_path / "results.csv"
    with ThreadPoolExecutor(3) as runs:  # each opens the lock again, as processes do
        list(runs.map(add_ten, [path] * 3, "abc"))
    assert sorted(read_ledger(path)["chain"]) == sorted(f"{name}{number}" for name in "abc" for number in range(10))


def test_a_file_that_is_no_ledger_is_left_as_it_is(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("id,score\n1,2\n")
    with pytest.raises(UserError, match="no column date"):
        add_to_ledger(path, [line("knn")])
    assert path.read_text() == "id,score\n1,2\n"


@pytest.mark.parametrize("cell", ["map_private", "map_private=high", "map_private 53.3"])
def test_a_line_that_somebody_broke_is_named(tmp_path, cell):
    add_to_ledger(tmp_path / "r.csv", [line("knn"), line("sort", numbers=cell)])
    with pytest.raises(UserError, match="row 3"):
        read_ledger(tmp_path / "r.csv")


def test_numbers_come_back_and_what_was_not_measured_is_left_out():
    assert write_numbers({"map_private": 53.32, "map_public": None, "first": 8.4968468}) == "map_private=53.32 first=8.4968"
    assert read_numbers("map_private=53.32 first=8.4968") == {"map_private": 53.32, "first": 8.4968}
    assert read_numbers(write_numbers({})) == {}


def test_published_results_are_whole():
    published = read_published()
    assert (
        not published.drop(columns="chain").eq("").any(axis=None)
        and not published.duplicated(["model", "chain", "protocol", "dataset"]).any()
    )
    numbers = pd.DataFrame(published["numbers"].map(read_numbers).tolist())
    assert (numbers.isna() | numbers.gt(10) & numbers.lt(100)).all(axis=None)
    names = {
        protocol: {name for cell in part["numbers"] for name in read_numbers(cell)} for protocol, part in published.groupby("protocol")
    }
    assert names == {  # as the protocols name them
        "retrieval": {"map_private", "map_public"},
        "recognition": {"gap_private", "gap_public"},
        "revisited": {"map_medium", "map_hard"},
        "places": {"recall_at_1"},
    }
    two_stage = published[(published["chain"] == "sort+insert") & (published["protocol"] == "retrieval")]
    assert two_stage["numbers"].map(read_numbers).tolist() == [{"map_private": 36.77, "map_public": 34.88}]
