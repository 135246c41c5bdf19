"""The report as one HTML page without scripts; its pictures are files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1.2em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .3em .9em; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left } h2 { margin-top: 2em } h3 { font-size: 1em; margin: 1.6em 0 .4em }
.query { display: flex; gap: 14px; align-items: flex-start } .rankings { flex: 1; min-width: 0 }
.ranking { display: flex; gap: 5px; overflow-x: auto; margin-bottom: 6px } .chain { color: #555; font-size: 13px }
figure { margin: 0; width: 116px; flex: none } .query > figure { width: 190px }
.frame { height: 96px; border: 4px solid #888; display: flex; align-items: center; justify-content: center; overflow: hidden;
  background: #f2f2f2; font-size: 11px; color: #666; overflow-wrap: anywhere } .query > figure .frame { height: 160px; border-color: #222 }
.frame img { width: 100%; height: 100%; object-fit: contain } figcaption { font-size: 12px; color: #333 }
.right .frame { border-color: #1a8f3c } .wrong .frame { border-color: #d0312d } .empty { color: #777 }
"""
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
    """A query, a line of text about it, and its best images in each of the shown chains."""

    id: str
    about: str
    picture: str | None
    rankings: dict[str, list[Shown]]


def page(title: str, blocks: Sequence[str], sections: dict[str, list[Example]]) -> str:
    """The whole page. `blocks` are HTML (tables and charts); all other text is escaped here."""
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *blocks,
    ]
    if any(sections.values()):
        parts.append(
            "<p>Frames: green ✓ right, red ✗ wrong, grey – not scored. The number is the cosine similarity; "
            "an image that a step inserted has none.</p>"
        )
    for name, examples in sections.items():
        if examples:
            parts += [f"<h2>{escape(name)}</h2>", *map(_example, examples)]
    return "\n".join(parts) + "\n</body></html>\n"


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of escaped text."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{escape(caption)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
