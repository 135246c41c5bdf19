"""What is printed at the end of a run."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from landmarks import summary
from landmarks.protocols.recognition import Recognition
from landmarks.summary import heading, print_locations, print_protocol, print_scores


def rows_of(text):
    """The cells of every row of the printed table, the heading first."""
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in text.splitlines()
        if line.startswith(("│", "┃"))
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [("map_private", "mAP private"), ("gap", "GAP"), ("precision_at_5", "mP@5"), ("recall_at_1", "R@1"), ("seconds", "seconds")],
)
def test_headings(name, text):
    assert heading(name) == text


def test_scores_have_a_row_per_chain_and_a_column_per_group(capsys):
    row = {"map_private": 53.3249, "map_public": None, "seconds": 1.0}
    print_scores({"chains": {"knn": row}, "groups": {"interior": {"knn": 7.25}}, "queries": {"Public": 1, "Private": 20}})
    printed = capsys.readouterr().out
    assert "mAP@100 in percent (20 private, 1 public queries)" in printed
    assert rows_of(printed) == [["chain", "private", "public", "interior", "seconds in all"], ["knn", "53.32", "-", "7.25", "1.00"]]


def shown_at(width, monkeypatch, capsys, show):
    """The lines that are printed in a terminal of that width, as cells."""
    monkeypatch.setattr(summary, "open_console", lambda: Console(highlight=False, markup=False, width=width))
    show()
    return rows_of(capsys.readouterr().out)


STEPS = ["knn", "discriminate+add_labels+augment_database+expand_query", "insert(threshold=0.75,neighbours=100)"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(20, 300))
def test_no_terminal_cuts_a_number_or_a_name(monkeypatch, capsys, width):
    row = {"map_private": 53.32, "map_public": 55.77, "seconds": 1234.5}
    groups = {"not in train": dict.fromkeys(STEPS, 31.34), "交差点": dict.fromkeys(STEPS, 100.0)}
    results = {"chains": dict.fromkeys(STEPS, row), "groups": groups, "queries": {"Public": 1}}
    lines = shown_at(width, monkeypatch, capsys, lambda: print_scores(results))
    columns = ["".join(cells).replace(" ", "") for cells in zip(*lines)]
    assert columns[0] == "chain" + "".join(STEPS)
    heads = ["private", "public", "notintrain", "交差点", "secondsinall"]
    assert columns[1:] == [head + 3 * number for head, number in zip(heads, ["53.32", "55.77", "31.34", "100.00", "1234.50"])]


def test_the_seconds_of_recognition_are_its_own(capsys):
    results = {"protocol": "recognition", "queries": {}, "chains": {"knn": {"gap_private": 5.0, "seconds": 2.0}}, "choices": {}}
    Recognition().show(results)
    assert rows_of(capsys.readouterr().out)[0] == ["chain", "GAP private", "seconds of recognize"]


def test_the_difficulties_of_revisited_are_rows(capsys):
    row = {"map_easy": 90.0, "map_hard": 40.0, "recall_at_1": 50.0, "fingerprint": "abc"}
    results = {"protocol": "revisited", "queries": {"easy": 3, "hard": 2}, "chains": {"knn": row}, "choices": {"whitening": "none"}}
    print_protocol(results, ("easy", "hard"))
    printed = capsys.readouterr().out
    assert rows_of(printed) == [["chain", "", "mAP", "R@1"], ["knn", "easy", "90.00", "50.00"], ["knn", "hard", "40.00", "50.00"]]
    assert "(queries: 3 easy, 2 hard)" in printed and "whitening                  none" in printed


def test_only_files_that_exist_are_listed(tmp_path, capsys):
    (tmp_path / "models").mkdir()
    print_locations(tmp_path, tmp_path / "none", tmp_path / "models", {"train": 61.26, "search": 0.5})
    assert capsys.readouterr().out.splitlines() == [
        "stages: train 61.3 s, search 0.5 s; 61.8 s in all",
        f"models       {tmp_path / 'models'}",
        f"all results  {tmp_path / 'models'}",
    ]
