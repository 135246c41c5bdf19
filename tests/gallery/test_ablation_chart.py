"""The chart of changes, read back from its own SVG."""

from xml.etree import ElementTree

import pytest

from landmarks.gallery.ablation_chart import BETTER, LABEL_LETTERS, LABELS, LINE, PLOT, UNSURE, WORSE, Change, change_chart

SVG = "{http://www.w3.org/2000/svg}"


def read(changes):
    chart = ElementTree.fromstring(change_chart("a < b", changes))
    return chart, [row for row in chart.iter(f"{SVG}g") if row.get("class") == "change"]


def test_a_dot_lies_where_its_change_is_and_its_line_over_the_interval():
    chart, (row,) = read([Change("the chain", "+ sort", 2.0, 0.5, 3.5)])
    axis = {text.text: float(text.get("x")) for text in chart.iter(f"{SVG}text") if text.get("text-anchor") == "middle"}
    assert axis["0"] == LABELS and list(axis)[-1] == "+4" and axis["+4"] == LABELS + PLOT
    line, dot = row.find(f"{SVG}line"), row.find(f"{SVG}circle")
    assert float(dot.get("cx")) == LABELS + PLOT * 2 / 4
    assert [float(line.get(end)) for end in ("x1", "x2")] == [pytest.approx(LABELS + PLOT * value / 4, abs=0.05) for value in (0.5, 3.5)]


def test_the_colour_says_what_is_sure():
    _, rows = read([Change("s", "a", 1, 0.5, 2), Change("s", "b", -1, -2, -0.5), Change("s", "c", 1, -0.5, 2), Change("s", "d", 0, 0, 0)])
    assert [row.find(f"{SVG}circle").get("fill") for row in rows] == [BETTER, WORSE, UNSURE, UNSURE]


def test_each_section_has_one_title_and_rows_do_not_overlap():
    chart, rows = read([Change("one", "a", 1, 0, 2), Change("one", "b", 1, 0, 2), Change("two", "a", -31, -40, -20)])
    assert [text.text for text in chart.iter(f"{SVG}text") if text.get("font-weight")] == ["a < b", "one", "two"]
    heights = [float(row.find(f"{SVG}circle").get("cy")) for row in rows]
    assert heights == sorted(set(heights)) and heights[-1] < float(chart.get("height"))
    for row in rows:
        assert all(LABELS <= float(row.find(f"{SVG}line").get(end)) <= LABELS + PLOT for end in ("x1", "x2"))


def test_long_names_are_wrapped_and_never_cut():
    name, section = "+ <step>" + "x" * 80, "a chain of " + "y" * 90
    changes = [Change(section, name, 1, 0, 2), Change(section, "+ b", 1, 0, 2), Change("two", name, 1, 0, 2)]
    chart, rows = read(changes)
    assert [row.find(f"{SVG}title").text for row in rows] == [name, "+ b", name]
    for row, label in zip(rows, (name, "+ b", name)):
        lines = [line for line in row.find(f"{SVG}text").itertext()]
        assert "".join(lines).replace(" ", "") == label.replace(" ", "") and max(map(len, lines)) <= LABEL_LETTERS
    whole = ["".join(text.itertext()) for text in chart.iter(f"{SVG}text")]
    assert any(text.replace(" ", "") == section.replace(" ", "") for text in whole)
    texts = [text for text in chart.iter(f"{SVG}text") if text.get("x") != str(LABELS + PLOT + 14)]  # but the numbers
    tops = sorted((float(text.get("y")), float(text.get("y")) + LINE * len(text)) for text in texts)
    labels = [place for place in tops if place[0] > 44]
    assert all(last < first for (_, last), (first, _) in zip(labels, labels[1:])), "lines do not overlap"
    assert labels[-1][1] < float(chart.get("height"))


@pytest.mark.parametrize("changes", [[], [Change("s", "a", 0, 0, 0)], [Change("s", "a", 1e-9, 0, 2e-9)], [Change("s", "a", 99.5, 99, 100)]])
def test_nothing_and_next_to_nothing_is_still_a_chart(changes):
    _, rows = read(changes)
    assert len(rows) == len(changes)
