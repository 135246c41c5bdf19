"""The choice of queries, the chart and the page, each from plain values."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np

from landmarks.gallery.chart import BARS, bar_chart
from landmarks.gallery.choice import choose_any, choose_queries
from landmarks.gallery.page import Example, Shown, page, table

IDS = np.array(list("abcdef"), dtype=object)
BEFORE = np.array([10.0, 20, 30, 40, 50, 60])
AFTER = np.array([90.0, 20, 10, 55, 50, 61])


def test_each_section_holds_what_it_says():
    chosen = {name: "".join(IDS[rows]) for name, rows in choose_queries(IDS, BEFORE, AFTER, 2).items()}
    assert chosen == {"Most gained": "ad", "Most lost": "c", "Worst": "be", "Best": "f"}


def test_a_chain_that_changes_nothing_gains_and_loses_nothing():
    chosen = choose_queries(IDS, BEFORE, BEFORE, 2)
    assert [len(rows) for rows in chosen.values()] == [0, 0, 2, 2]


def test_equals_are_chosen_by_id_not_by_order():
    same = np.full(6, 50.0)
    order = np.array([3, 1, 5, 0, 2, 4])
    straight, shuffled = choose_queries(IDS, same, same, 2), choose_queries(IDS[order], same, same, 2)
    assert {name: list(IDS[rows]) for name, rows in straight.items()} == {name: list(IDS[order][rows]) for name, rows in shuffled.items()}
    assert list(IDS[choose_any(IDS, 3)]) == list(IDS[order][choose_any(IDS[order], 3)])


def test_the_longest_bar_fills_the_chart_and_a_missing_value_has_none():
    chart = ElementTree.fromstring(bar_chart(["knn", "a<b"], {"private": [20.0, 40.0], "public": [10.0, None]}))
    svg = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width")) for bar in chart.iter(f"{svg}rect") if bar.get("height") != "11"]
    assert widths == [BARS / 2, BARS / 4, BARS]
    assert "a<b" in [text.text for text in chart.iter(f"{svg}text")]


def test_a_chart_of_nothing_is_still_a_chart():
    ElementTree.fromstring(bar_chart(["knn"], {"private": [None]}))
    ElementTree.fromstring(bar_chart(["knn"], {"private": [0.0]}))


class Tags(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


def test_names_from_outside_never_become_markup():
    evil = "<script>\"&'</script>"
    example = Example(evil, evil, None, {evil: [Shown(evil, "right", 0.5, "0001.jpg"), Shown(evil, "wrong", None, None)]})
    seen = Tags(page(evil, [table(evil, [evil], [[evil]])], {evil: [example]}))
    assert "script" not in {tag for tag, _ in seen.tags}
    assert [attributes["alt"] for tag, attributes in seen.tags if tag == "img"] == [evil]
    assert sum(evil in text for text in seen.texts) >= 8


def test_frames_tell_right_from_wrong_with_a_mark_too():
    images = [Shown("x", "right", 0.5, None), Shown("y", "wrong", None, None), Shown("z", "ignored", 0.25, None)]
    seen = Tags(page("t", [], {"s": [Example("q", "about", None, {"knn": images})]}))
    assert [attributes["class"] for tag, attributes in seen.tags if tag == "figure" and attributes.get("class")] == [
        "right",
        "wrong",
        "ignored",
    ]
    assert {"✓ 0.500", "✗", "– 0.250"} <= set(seen.texts)
