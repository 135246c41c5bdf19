"""What is printed and pasted holds every row and every number."""

import numpy as np
import pandas as pd
import pytest

from landmarks.ablation.words import COLUMNS, SHOWN, as_markdown, comparison_cells, comparisons_as_markdown, print_comparisons, sweep_cells

MEASURES, HEADINGS = ("map_private", "map_public"), ("private", "public")
LONG = "+ insert(neighbours=5,threshold=0.71234,another_setting=123456789)"
FRAME = pd.DataFrame(
    {
        "section": ["the chain", "the chain", "mine | yours"],
        "row": ["knn", LONG, "+ sort"],
        "against": ["", "knn", "knn"],
        "map_private": [22.634, 31.0, np.nan],
        "map_public": [22.472, 30.5, 40.0],
        "change": [np.nan, 8.125, -0.5],
        "change_low": [np.nan, 7.0, -1.0],
        "change_high": [np.nan, 9.25, 0.004],
        "helped": pd.array([None, 12, 0], "Int64"),
        "hurt": pd.array([None, 3, 1], "Int64"),
        "seconds": [3.852, 0.5, np.nan],
        "total_seconds": [3.852, 4.352, 5.0],
        "peak_megabytes": [np.nan, 690.7, 700.0],
    }
)


def test_cells_say_the_numbers_and_nothing_where_there_is_none():
    cells = comparison_cells(FRAME, MEASURES)
    assert list(cells) == ["the chain", "mine | yours"]
    assert cells["the chain"][0] == ["knn", "22.63", "22.47", "", "", "", "", "", "3.85", "3.85", ""]
    assert cells["the chain"][1] == [LONG, "31.00", "30.50", "+8.12", "+7.00 to +9.25", "12", "3", "knn", "0.50", "4.35", "691"]
    assert cells["mine | yours"][0][1:7] == ["", "40.00", "-0.50", "-1.00 to +0.00", "0", "1"]


def columns(line):
    """The cells of a line of Markdown: bars with a backslash before them are text."""
    assert line.startswith("| ") and line.endswith(" |")
    return [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")]


def test_every_line_of_the_markdown_has_every_column():
    cells = comparison_cells(FRAME, MEASURES)
    header, rules, *rows = map(columns, comparisons_as_markdown(cells, HEADINGS).splitlines())
    assert header == ["", *HEADINGS, *COLUMNS] and len(rules) == len(header)
    assert all(set(rule) <= set("-:") and len(rule) >= 3 for rule in rules)
    assert [row[0] for row in rows] == ["**the chain**", "knn", LONG, "**mine | yours**", "+ sort"]
    assert [row for row in rows if not row[0].startswith("**")] == [row for section in cells.values() for row in section]


def test_one_section_needs_no_title():
    assert "**" not in comparisons_as_markdown(comparison_cells(FRAME[:2], MEASURES), HEADINGS)
    assert as_markdown(["a", "b"], [["1", "2"]], left=("a",)) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_narrow_terminal_loses_no_number_and_no_name(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    print_comparisons(comparison_cells(FRAME, MEASURES), HEADINGS)
    printed = capsys.readouterr().out
    for text in ("+7.00 to +9.25", "691", "700", "mine | yours", "threshold=0.71234"):
        assert text in printed
    assert "123456789)" in printed.replace("\n", "") and "…" not in printed


def test_of_a_long_sweep_the_best_are_shown_and_the_chain_as_it_stands():
    scores = np.arange(40.0, 0, -1)
    frame = pd.DataFrame(
        {
            "sort.neighbours": range(40),
            "insert.threshold": 0.5,
            "choosing": scores,
            "scoring": [1.25, *[np.nan] * 29, 2.5, *[np.nan] * 9],
            "total_seconds": 1.0,
            "chain": "c",
        }
    )
    header, rows = sweep_cells(frame)
    assert header == ["sort.neighbours", "insert.threshold", "choosing queries", "other queries", "seconds in all"]
    assert [row[0] for row in rows] == [*map(str, range(SHOWN)), "30"]
    assert rows[0] == ["0", "0.5", "40.00", "1.25", "1.00"] and rows[-1] == ["30", "0.5", "10.00", "2.50", "1.00"] and rows[1][3] == ""
