"""A bar chart as SVG text, which needs no plotting library and no script in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

LABELS, BARS, VALUES, BAR = 230, 430, 70, 15  # pixels: room for the names, the longest bar, the numbers; a bar's height
COLOURS = ("#2b6cb0", "#90b8e0", "#c0c0c0", "#e0a870")


def bar_chart(names: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """Horizontal bars from 0, one group per name and one bar per series; None leaves the bar out.

    names   (n,) text, the group's name
    series  legend text -> (n,) values of 0 or more
    """
    highest = max((value for values in series.values() for value in values if value is not None), default=0) or 1
    group = BAR * len(series) + 12
    height = group * len(names) + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {LABELS + BARS + VALUES} {height}" '
        f'width="{LABELS + BARS + VALUES}" height="{height}" font-family="sans-serif" font-size="12">'
    ]
    for column, (legend, colour) in enumerate(zip(series, COLOURS)):
        x = LABELS + 110 * column
        parts.append(f'<rect x="{x}" y="4" width="11" height="11" fill="{colour}"/><text x="{x + 16}" y="14">{escape(legend)}</text>')
    for row, name in enumerate(names):
        top = 28 + group * row
        parts.append(f'<text x="{LABELS - 8}" y="{top + BAR * len(series) / 2 + 4:g}" text-anchor="end">{escape(name)}</text>')
        for place, (values, colour) in enumerate(zip(series.values(), COLOURS)):
            value = values[row]
            if value is None:
                continue
            y, width = top + BAR * place, BARS * value / highest
            parts.append(
                f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>'
                f'<text x="{LABELS + width + 5:.1f}" y="{y + 11}">{value:.2f}</text>'
            )
    return "".join(parts) + "</svg>"
