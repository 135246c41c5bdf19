"""A chart of changes with their intervals as SVG text: one row per change, and a vertical line at no change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

LABELS, PLOT, VALUES, ROW, HEAD = 330, 420, 190, 24, 44  # pixels: the labels, the plot, the numbers; a row's height, the axis above
LINE = 14  # pixels that each further line of a label adds to its row
LABEL_LETTERS = 42  # of a line: 12 pixel letters of a step's name are 7 pixels wide
BETTER, WORSE, UNSURE, FAINT = "#2b6cb0", "#c05621", "#808080", "#e2e2e2"


@dataclass(frozen=True)
class Change:
    """One row: the change and its interval in percentage points, low <= change <= high; rows of a section have one title above them."""

    section: str
    label: str
    change: float
    low: float
    high: float


def change_chart(title: str, changes: Sequence[Change]) -> str:
    """A dot for each change on the line of its interval: blue if the whole interval is above 0, orange if below, grey if it holds 0.

    Labels longer than a line are wrapped; none is cut.
    """
    ticks = _ticks(min([0.0, *(row.low for row in changes)]), max([0.0, *(row.high for row in changes)]))
    first, last = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return LABELS + PLOT * (value - first) / (last - first)

    titles = [text for text, before in zip([row.section for row in changes], [None, *(row.section for row in changes)]) if text != before]
    width = LABELS + PLOT + VALUES
    height = HEAD + sum(_height(text) for text in [*titles, *(row.label for row in changes)]) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'style="max-width: 100%; height: auto" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text x="12" y="16" font-weight="bold">{escape(title)}</text>'
    ]
    for tick in ticks:
        colour = "#404040" if tick == 0 else FAINT
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{HEAD}" y2="{height - 8}" stroke="{colour}"/>'
            f'<text x="{x(tick):.1f}" y="{HEAD - 6}" text-anchor="middle" fill="#606060">{_signed(tick, 6)}</text>'
        )
    y, section = HEAD, None
    for row in changes:
        if row.section != section:
            section = row.section
            y += _height(section)
            parts.append(_text(section, 12, y - 6 - LINE * (len(_lines(section)) - 1), 'font-weight="bold"'))
        y += _height(row.label)
        middle = y - _height(row.label) / 2
        top = middle + 4 - LINE * (len(_lines(row.label)) - 1) / 2
        colour = BETTER if row.low > 0 else WORSE if row.high < 0 else UNSURE
        parts.append(f'<g class="change"><title>{escape(row.label)}</title>' + _text(row.label, LABELS - 10, top, 'text-anchor="end"'))
        parts.append(
            f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{middle:g}" y2="{middle:g}" stroke="{colour}" stroke-width="3"/>'
            f'<circle cx="{x(row.change):.1f}" cy="{middle:g}" r="4.5" fill="{colour}"/>'
            f'<text x="{LABELS + PLOT + 14}" y="{middle + 4:g}">{row.change:+.2f}  ({row.low:+.2f} to {row.high:+.2f})</text></g>'
        )
    return "".join(parts) + "</svg>\n"


def _ticks(low: float, high: float) -> list[float]:
    """About six round numbers from at most `low` to at least `high`, including 0."""
    rough = max(high - low, 1e-6) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _signed(value: float, digits: int) -> str:
    return "0" if value == 0 else f"{value:+.{digits}g}"


def _lines(text: str) -> list[str]:
    """The text in lines of at most LABEL_LETTERS, broken at spaces where there are any."""
    return wrap(text, LABEL_LETTERS, break_on_hyphens=False) or [""]


def _height(text: str) -> int:
    return ROW + LINE * (len(_lines(text)) - 1)


def _text(text: str, x: float, y: float, more: str) -> str:
    """The lines of a text, the first at the height `y`; more: attributes."""
    first, *others = map(escape, _lines(text))
    return f'<text x="{x}" y="{y:g}" {more}>{first}' + "".join(f'<tspan x="{x}" dy="{LINE}">{line}</tspan>' for line in others) + "</text>"
