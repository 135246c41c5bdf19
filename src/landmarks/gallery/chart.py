"""A bar chart as HTML with SVG bars, as wide as its page: no plotting library, no script, and text of one size at any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

BAR, GAP = 15, 2  # pixels: from bar to bar, and of it the gap
LONGEST = 84.0  # percent of the chart's width that the longest bar takes; the rest is for its number
COLOURS = ("#2b6cb0", "#90b8e0", "#a0a0a0", "#e0a870")


def bar_chart(names: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """Horizontal bars from 0, one group per name and one bar per series; None leaves the bar out.

    A group's name is above its bars, where a long one can be wrapped.

    names   (n,) text, the group's name
    series  legend text -> (n,) values of 0 or more
    """
    highest = max((value for values in series.values() for value in values if value is not None), default=0) or 1
    legend = "".join(
        f'<span class="series"><svg xmlns="http://www.w3.org/2000/svg" width="11" height="11">'
        f'<rect class="key" width="11" height="11" fill="{colour}"/></svg> {escape(name)}</span>'
        for name, colour in zip(series, cycle(COLOURS))
    )
    groups = [_group(name, [values[row] for values in series.values()], highest) for row, name in enumerate(names)]
    return f'<div class="chart"><div class="legend">{legend}</div>{"".join(groups)}</div>'


def _group(name: str, values: Sequence[float | None], highest: float) -> str:
    numbers = ", ".join("–" if value is None else f"{value:.2f}" for value in values)
    parts = [
        f'<div class="name">{escape(name)}</div><svg xmlns="http://www.w3.org/2000/svg" role="img" width="100%" '
        f'height="{BAR * len(values)}" font-family="sans-serif" font-size="12"><title>{escape(name)}: {numbers}</title>'
    ]
    for place, (value, colour) in enumerate(zip(values, cycle(COLOURS))):
        if value is None:
            continue
        width = LONGEST * value / highest
        parts.append(
            f'<rect y="{BAR * place}" width="{width:.2f}%" height="{BAR - GAP}" fill="{colour}"/>'
            f'<text x="{width:.2f}%" dx="5" y="{BAR * place + 11}" fill="currentColor">{value:.2f}</text>'
        )
    return "".join(parts) + "</svg>"
