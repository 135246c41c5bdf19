"""The tables printed at the end of a run: scores, seconds, and the paths of its files."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

NARROWEST = 18  # letters of a column of text before it is folded in a narrow terminal
SECONDS = "seconds in all"  # a chain's seconds are those of the search and all of its steps


def open_console() -> Console:
    """A console as wide as the terminal; without a terminal (file or pipe) wide enough that no line is folded."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 1000)


def print_table(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]], texts: Collection[str]) -> None:
    """Print a table in which nothing is cut: columns named in `texts` are folded, the others hold numbers, and only headings are folded.

    In a terminal too narrow for that its lines are longer than the terminal.
    """
    columns = [[name, *(row[column] for row in rows)] for column, name in enumerate(header)]
    wanted = [max(map(cell_len, column)) for column in columns]
    least = [
        min(NARROWEST, wide) if name in texts else max(map(cell_len, [*name.split(), *cells]))
        for (name, *cells), wide in zip(columns, wanted, strict=True)
    ]
    room = max(0, console.width - sum(least) - 3 * len(least) - 1)  # around each column a space on both sides and a line
    table = Table()
    for name, wide, width in zip(header, wanted, least, strict=True):
        more = min(room, wide - width)
        room -= more
        table.add_column(name, overflow="fold", justify="left" if name in texts else "right", width=width + more)
    for row in rows:
        table.add_row(*row)
    console.width = max(console.width, sum(least) + 3 * len(least) + 1)
    console.print(table)


def print_scores(results: dict[str, Any]) -> None:
    """Print the content of metrics.json as a table: one row per chain, one column per usage and group."""
    console = open_console()
    chains, groups = results["chains"], results["groups"]
    counts = ", ".join(f"{number} {usage.lower()}" for usage, number in sorted(results["queries"].items()))
    console.print(f"\nmAP@100 in percent ({counts} queries)")
    rows = []
    for chain, row in chains.items():
        scores = [row["map_private"], row["map_public"], *(group[chain] for group in groups.values())]
        rows.append([chain, *("-" if score is None else f"{score:.2f}" for score in scores), f"{row['seconds']:.2f}"])
    print_table(console, ["chain", "private", "public", *groups, SECONDS], rows, ["chain"])


def print_protocol(results: dict[str, Any], parts: Sequence[str] = ("",), seconds: str = SECONDS) -> None:
    """Print a benchmark's numbers, one row per chain, and below them every choice that changes them.

    parts    of the queries, such as easy, medium and hard: each gets a row of its own, so that the table fits a terminal
    seconds  the heading of that column: what the seconds are of
    """
    console = open_console()
    counts = ", ".join(f"{number} {name}" for name, number in results["queries"].items())
    console.print(f"\n{results['protocol']}, in percent (queries: {counts})")
    chains = results["chains"]
    columns = dict.fromkeys(_split_part(name, parts)[0] for name in next(iter(chains.values())) if name != "fingerprint")
    texts = ["chain", *([""] if len(parts) > 1 else [])]
    rows = []
    for chain, row in chains.items():
        for part in parts:
            named = ((*_split_part(name, parts), value) for name, value in row.items())
            values = {column: value for column, covered, value in named if covered in ("", part)}
            cells = ["-" if values[name] is None else f"{values[name]:.2f}" for name in columns]
            rows.append([chain, *([part] if part else []), *cells])
    print_table(console, [*texts, *(seconds if name == "seconds" else heading(name) for name in columns)], rows, texts)
    for name, choice in results["choices"].items():
        console.print(f"{name:<26} {choice}", soft_wrap=True)


def heading(name: str) -> str:
    """The heading of a number's column: "mAP private" for "map_private"."""
    name = f"{name}_"
    for short, words in {"precision_at_": "mP@", "recall_at_": "R@", "map_": "mAP ", "gap_": "GAP "}.items():
        name = name.replace(short, words)
    return name.replace("_", " ").strip()


def _split_part(name: str, parts: Sequence[str]) -> tuple[str, str]:
    """A number's name without the part of the queries it covers, and that part: "precision_at_5_easy" -> "precision_at_5", "easy"."""
    part = next((one for one in parts if one and name.endswith(f"_{one}")), "")
    return name.removesuffix(f"_{part}") if part else name, part


def print_locations(folder: Path, tables: Path, ledger: Path, seconds: dict[str, float]) -> None:
    """Print how long each stage took, and the paths of the files that exist.

    folder   of the run
    tables   folder of the dataset's tables
    ledger   the file of all evaluations
    seconds  stage -> seconds
    """
    console = open_console()
    console.print(
        "stages: " + ", ".join(f"{name} {took:.1f} s" for name, took in seconds.items()) + f"; {sum(seconds.values()):.1f} s in all",
        soft_wrap=True,
    )
    lines = {
        "dataset": tables,
        "models": folder / "models",
        "descriptors": folder / "descriptors",
        "rankings": folder / "rankings",
        "submission": folder / "submission.csv",
        "recognition": folder / "recognition" / "submission.csv",
        "scores": folder / "ablation.csv",
        "per query": folder / "per_query.csv",
        "report": folder / "report" / "index.html",
        "all results": ledger,
    }
    for name, path in lines.items():
        if path.exists():
            console.print(f"{name:<12} {path}", soft_wrap=True)
