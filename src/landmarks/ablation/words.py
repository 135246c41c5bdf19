"""The tables of an ablation as a person reads them: in the terminal, and as Markdown to paste."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

COLUMNS = ("change", "95 % interval", "helped", "hurt", "against", "seconds", "in all", "MB")  # behind the protocol's own
LABEL_WIDTH = 48  # longer labels are folded
SHOWN = 10  # of a sweep's combinations; all of them are in its CSV


def comparison_cells(frame: pd.DataFrame, measures: Iterable[str]) -> dict[str, list[list[str]]]:
    """Section -> rows of text: the label, a cell for each of the protocol's measures, and those under COLUMNS."""
    sections: dict[str, list[list[str]]] = {}
    for row in frame.to_dict("records"):
        interval = "" if pd.isna(row["change_low"]) else f"{row['change_low']:+.2f} to {row['change_high']:+.2f}"
        cells = [row["row"], *(_number(row[name]) for name in measures), _number(row["change"], "+.2f"), interval]
        cells += [_number(row["helped"], "d"), _number(row["hurt"], "d"), row["against"]]
        cells += [_number(row["seconds"]), _number(row["total_seconds"]), _number(row["peak_megabytes"], ".0f")]
        sections.setdefault(row["section"], []).append(cells)
    return sections


def sweep_cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the best combinations, and of those whose score on the other queries is shown."""
    settings = list(frame.columns[: list(frame.columns).index("choosing")])
    shown = frame[(frame.index < SHOWN) | frame["scoring"].notna()]
    rows = [
        [*map(str, row[: len(settings)]), _number(choosing), _number(scoring), _number(seconds)]
        for *row, choosing, scoring, seconds in shown[[*settings, "choosing", "scoring", "total_seconds"]].itertuples(index=False)
    ]
    return [*settings, "choosing queries", "other queries", "seconds in all"], rows


def print_comparisons(sections: dict[str, list[list[str]]], headings: Sequence[str]) -> None:
    """headings: those of the protocol's measures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column, name in enumerate(("", *headings, *COLUMNS)):
        if column == 0:
            table.add_column(name, overflow="fold", max_width=LABEL_WIDTH)
        else:
            table.add_column(name, justify="left" if name == "against" else "right", no_wrap=True)
    for section, rows in sections.items():
        if len(sections) > 1:
            table.add_section()
            table.add_row(section, style="bold")
        for row in rows:
            table.add_row("  " + row[0], *row[1:])
    _print(table)


def print_sweep(header: list[str], rows: list[list[str]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in header:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _print(table)


def comparisons_as_markdown(sections: dict[str, list[list[str]]], headings: Sequence[str]) -> str:
    header, rows = ("", *headings, *COLUMNS), []
    for section, cells in sections.items():
        if len(sections) > 1:
            rows.append([f"**{section}**"] + [""] * (len(header) - 1))
        rows += cells
    return as_markdown(header, rows, left=("", "against"))


def as_markdown(header: list[str] | tuple[str, ...], rows: list[list[str]], left: tuple[str, ...] = ()) -> str:
    """A table in GitHub's Markdown; the columns in `left` are aligned there, the others to the right."""
    rules = ["---" if name in left else "---:" for name in header]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (header, rules, *rows)) + "\n"


def _print(table: Table) -> None:
    """As wide as it needs to be: in a narrow terminal, and in every log file, rich would leave columns out."""
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, console.measure(table, options=console.options.update(width=1000)).maximum)
    console.print(table)


def _number(value: float | int | None, form: str = ".2f") -> str:
    return "" if pd.isna(value) else format(value, form)
