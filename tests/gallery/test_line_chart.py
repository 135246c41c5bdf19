import re
import xml.etree.ElementTree as ElementTree

import pytest

from landmarks.gallery.line_chart import HEIGHT, WIDTH, line_chart


def lines(svg):
    """The points of every line."""
    ElementTree.fromstring(svg)  # well-formed
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in re.findall(r'<polyline points="([^"]*)"', svg)]


def test_points_are_placed_from_the_lowest_to_the_highest():
    ((first, middle, last),) = lines(line_chart("t", {"a": ([0, 5, 10], [1.0, 3.0, 2.0])}, across="step"))
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert first[1] > last[1] > middle[1]  # y grows downwards
    assert last[1] == pytest.approx((first[1] + middle[1]) / 2, abs=0.1)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in (first, middle, last))


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors():
    ((*points,),) = lines(line_chart("t", {"a": ([1e-4, 1e-3, 1e-2, 0], [1, 2, 3, 4])}, across="rate", log=True, mark=1e-3))
    assert len(points) == 3 and points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    svg = line_chart("t", {"a": ([1e-4, 1e-3, 1e-2], [1, 2, 3])}, across="rate", log=True, mark=1e-3)
    assert f'class="mark" d="M{points[1][0]:.1f}' in svg and ">0.001<" in svg


def test_what_is_no_number_is_left_out_and_names_are_escaped():
    svg = line_chart("<t>", {"a&b": ([1, 2, 3], [1.0, float("nan"), 2.0]), "one": ([1], [5.0])}, across="x")
    assert [len(line) for line in lines(svg)] == [2, 1] and "a&amp;b" in svg and "&lt;t&gt;" in svg
    assert lines(line_chart("t", {}, across="x")) == []
