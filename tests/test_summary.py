"""What is printed at the end of a run."""

import pytest

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
    assert rows_of(printed) == [["chain", "private", "public", "interior", "seconds"], ["knn", "53.32", "-", "7.25", "1.00"]]


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
