"""The report as one HTML page without scripts; its pictures are files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #222; --soft: #555; --line: #ddd; --frame: #f2f2f2;
  --grey: #888; --right: #1a8f3c; --wrong: #d0312d }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; --text: #e6e6e6; --soft: #a8adb3; --line: #3b4046; --frame: #24272b;
  --grey: #808890; --right: #43b86c; --wrong: #f0625d } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1.2em; color: var(--text);
  background: var(--page); overflow-wrap: anywhere }
.scroll { overflow-x: auto; margin: 1em 0 } table { border-spacing: 0 }
th, td { padding: 4px .9em; line-height: 20px; border-bottom: 1px solid var(--line); text-align: right; overflow-wrap: normal;
  vertical-align: bottom }
td, th:first-child { white-space: nowrap } td.long, th.long { white-space: normal; overflow-wrap: anywhere; min-width: 11em }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--page) }
h2 { margin-top: 2em } h3 { font-size: 1em; margin: 1.6em 0 .4em } .note, .chain { color: var(--soft); font-size: 13px }
.chart { max-width: 760px; font-size: 13px } .chart svg { vertical-align: middle; overflow: visible } .name { margin-top: .5em }
.series { margin-right: 1.5em }
.query { display: flex; gap: 14px; align-items: flex-start } .rankings { flex: 1; min-width: 0; max-width: 100% }
.ranking { display: flex; gap: 5px; overflow-x: auto; margin-bottom: 6px }
figure { margin: 0; width: 110px; flex: none } .query > figure { width: 190px }
.frame { height: 96px; border: 4px solid var(--grey); display: flex; align-items: center; justify-content: center; overflow: hidden;
  background: var(--frame); font-size: 11px; color: var(--soft) } .query > figure .frame { height: 160px; border-color: var(--text) }
.frame img { width: 100%; height: 100%; object-fit: contain } figcaption { font-size: 12px }
.right .frame { border-color: var(--right) } .wrong .frame { border-color: var(--wrong) } .empty { color: var(--soft) }
@media (max-width: 700px) { body { margin: 1em auto; padding: 0 .8em } th, td { padding: 4px .5em; font-size: 13px }
  .query { flex-direction: column } .rankings { width: 100% } }
"""
LONG = 24  # letters: longer text in a table's cell is wrapped
MARKS = {"right": "✓", "wrong": "✗", "ignored": "–"}


@dataclass(frozen=True)
class Shown:
    """An index image in a ranking: verdict "right", "wrong" or "ignored"; None where there is no similarity or no picture."""

    id: str
    verdict: str
    similarity: float | None
    picture: str | None


@dataclass(frozen=True)
class Example:
    """A query, a line of text about it, and its best images in each of the shown chains, by what is written above them."""

    id: str
    about: str
    picture: str | None
    rankings: dict[str, list[Shown]]


def page(title: str, blocks: Sequence[str], sections: dict[str, list[Example]]) -> str:
    """The whole page. `blocks` are HTML (tables and charts); all other text is escaped here."""
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *blocks,
    ]
    if any(sections.values()):
        parts.append(
            "<p>Frames: green ✓ right, red ✗ wrong, grey – not scored. The number is the similarity to the query in the vectors that the "
            "list was searched with; it does not compare with another list's. An image that a later step brought in has none.</p>"
        )
    for name, examples in sections.items():
        if examples:
            parts += [f"<h2>{escape(name)}</h2>", *map(_example, examples)]
    return "\n".join(parts) + "\n</body></html>\n"


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> str:
    """An HTML table of escaped text, in a box of its own that scrolls; the first column, what a row is, stays in sight."""
    head = "".join(_cell("th", text) for text in header)
    body = "".join("<tr>" + "".join(_cell("td", text) for text in row) + "</tr>" for row in rows)
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    inside = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h2>{escape(caption)}</h2><div class="scroll" tabindex="0">{inside}</div>{below}'


def _cell(tag: str, text: str) -> str:
    start = f'<{tag} class="long">' if len(text) > LONG else f"<{tag}>"
    return f"{start}{escape(text)}</{tag}>"


def _example(example: Example) -> str:
    rankings = "".join(
        f'<div class="chain">{escape(chain)}</div><div class="ranking">{"".join(map(_shown, images)) or _NOTHING}</div>'
        for chain, images in example.rankings.items()
    )
    return (
        f"<h3>{escape(example.about)}</h3><div class='query'><figure>{_frame(example.id, example.picture)}"
        f"<figcaption>query {escape(example.id)}</figcaption></figure><div class='rankings'>{rankings}</div></div>"
    )


_NOTHING = '<span class="empty">nothing found</span>'


def _shown(image: Shown) -> str:
    similarity = "" if image.similarity is None else f" {image.similarity:.3f}"
    return (
        f'<figure class="{image.verdict}">{_frame(image.id, image.picture)}'
        f"<figcaption>{MARKS[image.verdict]}{similarity}</figcaption></figure>"
    )


def _frame(id: str, picture: str | None) -> str:
    inside = escape(id) if picture is None else f'<img loading="lazy" src="{escape(picture)}" alt="{escape(id)}">'
    return f'<div class="frame" title="{escape(id)}">{inside}</div>'
