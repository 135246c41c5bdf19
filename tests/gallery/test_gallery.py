"""The choice of queries, the chart and the page, each from plain values."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks.gallery.chart import COLOURS, LONGEST, bar_chart
from landmarks.gallery.choice import choose_any, choose_queries
from landmarks.gallery.page import Example, Shown, page, table

IDS = np.array(list("abcdef"), dtype=object)
BEFORE = np.array([10.0, 20, 30, 40, 50, 60])
AFTER = np.array([90.0, 20, 10, 55, 50, 61])


def test_each_section_holds_what_it_says():
    chosen = {name: "".join(IDS[rows]) for name, rows in choose_queries(IDS, BEFORE, AFTER, 2).items()}
    assert chosen == {"Most gained": "ad", "Most lost": "c", "Worst": "", "Lowest": "be", "Best": "f"}


def test_a_chain_that_changes_nothing_gains_and_loses_nothing():
    chosen = choose_queries(IDS, BEFORE, BEFORE, 2)
    assert [len(rows) for rows in chosen.values()] == [0, 0, 0, 2, 2]


def test_perfect_queries_are_not_the_worst_and_nothing_found_is_not_the_best():
    perfect, nothing = np.full(6, 100.0), np.zeros(6)
    assert [len(rows) for rows in choose_queries(IDS, perfect, perfect, 2).values()] == [0, 0, 0, 0, 2]
    assert [len(rows) for rows in choose_queries(IDS, nothing, nothing, 2).values()] == [0, 0, 0, 2, 0]


SCORES = st.sampled_from([0.0, 0.1, 37.5, 50.0, 99.9, 100.0])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(SCORES, SCORES), max_size=30), st.integers(1, 6))
def test_no_section_holds_what_it_does_not_say(scores, count):
    before, after = np.array(scores).reshape(-1, 2).T
    chosen = choose_queries(np.array([f"q{n}" for n in range(len(scores))], dtype=object), before, after, count)
    change = after - before
    says = {
        "Most gained": change > 0,
        "Most lost": change < 0,
        "Worst": change < 0,
        "Lowest": (change >= 0) & (after < 100),
        "Best": after > 0,
    }
    assert list(chosen) == list(says)
    for name, rows in chosen.items():
        assert says[name][rows].all() and len(rows) <= count
    every = np.concatenate(list(chosen.values()))
    assert len(set(every)) == len(every)
    assert (np.diff(after[chosen["Worst"]]) >= 0).all() and (np.diff(after[chosen["Best"]]) <= 0).all()


def test_equals_are_chosen_by_id_not_by_order():
    same = np.full(6, 50.0)
    order = np.array([3, 1, 5, 0, 2, 4])
    straight, shuffled = choose_queries(IDS, same, same, 2), choose_queries(IDS[order], same, same, 2)
    assert {name: list(IDS[rows]) for name, rows in straight.items()} == {name: list(IDS[order][rows]) for name, rows in shuffled.items()}
    assert list(IDS[choose_any(IDS, 3)]) == list(IDS[order][choose_any(IDS[order], 3)])


SVG = "{http://www.w3.org/2000/svg}"


def bars(chart):
    return [bar for bar in chart.iter(f"{SVG}rect") if bar.get("class") != "key"]


def test_the_longest_bar_fills_the_chart_and_a_missing_value_has_none():
    chart = ElementTree.fromstring(bar_chart(["knn", "a<b"], {"private": [20.0, 40.0], "public": [10.0, None]}))
    assert [bar.get("width") for bar in bars(chart)] == [f"{LONGEST / 2:.2f}%", f"{LONGEST / 4:.2f}%", f"{LONGEST:.2f}%"]
    assert [text.text for text in chart.iter(f"{SVG}text")] == ["20.00", "10.00", "40.00"]
    assert [name.text for name in chart.iter("div") if name.get("class") == "name"] == ["knn", "a<b"]


def test_names_of_a_chart_are_text_of_the_page_and_its_bars_follow_the_page_s_width():
    name = "my_module:MyStep(" + "threshold=0.75," * 20 + ")"
    chart = ElementTree.fromstring(bar_chart([name], {"private": [50.0]}))
    assert [text.text for text in chart.iter("div") if text.get("class") == "name"] == [name], "whole, and above its bars"
    (drawing,) = (svg for svg in chart.iter(f"{SVG}svg") if svg.get("role") == "img")
    assert drawing.get("width") == "100%" and drawing.get("viewBox") is None, "text keeps its size"
    for part in (*bars(chart), *chart.iter(f"{SVG}text")):
        assert part.get("x", "0%").endswith("%") and part.get("width", "0%").endswith("%")


def test_every_series_has_bars_however_many_there_are():
    many = {f"R@{n}": [float(n)] for n in range(1, 2 * len(COLOURS) + 2)}
    chart = ElementTree.fromstring(bar_chart(["knn"], many))
    assert len(bars(chart)) == len(many) and len([span for span in chart.iter("span")]) == len(many)


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


def test_tables_scroll_in_their_own_box_and_the_body_never():
    seen = Tags(page("t", [table("a caption", ["chain", "private"], [["+ expand_query", "1.00"], ["x" * 200, "2.00"]])], {}))
    names = [tag for tag, _ in seen.tags]
    box = names.index("table") - 1
    assert seen.tags[box] == ("div", {"class": "scroll", "tabindex": "0"})
    style = "".join(seen.texts)
    assert ".scroll { overflow-x: auto" in style and ".ranking { display: flex; gap: 5px; overflow-x: auto" in style
    assert "+ expand_query" in seen.texts
    assert [attributes.get("class") for tag, attributes in seen.tags if tag == "td"] == [None, None, "long", None], "long text is wrapped"


def test_the_page_follows_the_system_s_colours():
    style = "".join(Tags(page("t", [], {})).texts)
    assert "color-scheme: light dark" in style and "@media (prefers-color-scheme: dark)" in style
    light, dark = (part for part in style.split(":root {")[1:])
    colours = re.compile(r"(--\w+): #")
    assert set(colours.findall(light.split("}")[0])) == set(colours.findall(dark.split("}")[0]))
    rules = re.sub(r":root \{[^}]*\}", "", style)
    assert "#" not in rules, "every colour is one of the variables"


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
