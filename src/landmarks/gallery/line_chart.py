"""A line chart as an SVG picture of its own: no plotting library, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

from landmarks.gallery.chart import COLOURS

WIDTH, HEIGHT = 640, 240  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 26, 30
_TICKS = 5


def line_chart(
    title: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, across: str, log: bool = False, mark: float | None = None
) -> str:
    """One line for each series, in an SVG element that is a whole file too.

    series  legend text -> (x, y) of the same length; points that are not finite are left out
    across  what x is
    log     x has a logarithmic scale: only positive ones are shown
    mark    an x that a vertical line shows
    """
    points = {name: _finite(x, y, log) for name, (x, y) in series.items()}
    everything = [point for line in points.values() for point in line] or [(0.0, 0.0)]
    left, right = _range([x for x, _ in everything])
    low, high = _range([y for _, y in everything])

    def place(x: float, y: float) -> tuple[float, float]:
        inside = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        return _LEFT + inside[0] * (x - left) / (right - left), HEIGHT - _BOTTOM - inside[1] * (y - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="#808890"><title>{escape(title)}</title>'
        f'<text x="{_LEFT}" y="15" font-size="13" font-weight="bold">{escape(title)}</text>'
    ]
    for number in range(_TICKS):
        y = low + (high - low) * number / (_TICKS - 1)
        x = left + (right - left) * number / (_TICKS - 1)
        at_x, at_y = place(x, low)[0], place(left, y)[1]
        parts.append(f'<path d="M{_LEFT} {at_y:.1f}H{WIDTH - _RIGHT}" stroke="#80889040"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at_y + 4:.1f}" text-anchor="end">{y:.4g}</text>')
        parts.append(f'<text x="{at_x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{10**x if log else x:.4g}</text>')
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 2}" text-anchor="end">{escape(across)}</text>')
    for place_in_legend, ((name, line), colour) in enumerate(zip(points.items(), cycle(COLOURS))):
        drawn = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{WIDTH - _RIGHT}" y="{15 + 13 * place_in_legend}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    if mark is not None and (not log or mark > 0):
        at = place(math.log10(mark) if log else mark, low)[0]
        parts.append(f'<path class="mark" d="M{at:.1f} {_TOP}V{HEIGHT - _BOTTOM}" stroke="#d0312d" stroke-dasharray="4 3"/>')
    return "".join(parts) + "</svg>"


def _finite(x: Sequence[float], y: Sequence[float], log: bool) -> list[tuple[float, float]]:
    pairs = [(float(a), float(b)) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    return [(math.log10(a), b) for a, b in pairs if a > 0] if log else pairs


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
