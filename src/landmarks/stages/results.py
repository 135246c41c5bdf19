"""results: the ledger of all evaluations as tables, together with published results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from landmarks.config import Config
from landmarks.progress import say
from landmarks.store.ledger import read_ledger, read_numbers, read_published
from landmarks.summary import heading, open_console, print_table


def results(config: Config) -> Path:
    """Print a table for each protocol of the ledger: the published rows with their source, then the ledger's with their date.

    If there are published rows, the columns are their numbers; the ledger itself has all numbers. The choices are listed below the
    table, numbered as in its last column: numbers are comparable where their choices are. Without a ledger all published rows are
    printed. Returns the ledger's path. Raises UserError for a file that is not a ledger.
    """
    path, published = config.ledger, read_published().assign(choices="")
    if path.exists():
        ours = read_ledger(path)
        published = published[published["protocol"].isin(ours["protocol"])]
        rows = pd.concat([published, ours.assign(source=ours["date"].str[:10])], ignore_index=True)
    else:
        say(f"results: no evaluation yet ({path}); published results:")
        ours, rows = published[:0], published
    console = open_console()
    for protocol, part in rows.groupby("protocol", sort=False):
        console.print(f"\n{protocol}, in percent")
        for line in _print(console, part):
            console.print(line, soft_wrap=True)
    say(f"results: {len(ours)} evaluations in {path}")
    return path


def _print(console: Console, rows: pd.DataFrame) -> list[str]:
    """Print one protocol's table; returns the lines that explain its last column."""
    numbers = rows["numbers"].map(read_numbers)
    published = rows["choices"] == ""
    shown = dict.fromkeys(name for row in (numbers[published] if published.any() else numbers) for name in row)
    notes = {text: str(number) for number, text in enumerate(rows.loc[~published, "choices"].drop_duplicates(), start=1)}
    texts = rows[["dataset", "model", "chain", "source", "choices"]].to_numpy(dtype=str)
    lines = []
    for (dataset, model, chain, source, choices), values in zip(texts.tolist(), numbers, strict=True):
        cells = [f"{values[name]:.2f}" if name in values else "-" for name in shown]
        lines.append([dataset, model, chain, *cells, source, notes.get(choices, "")])
    header = ["dataset", "model", "chain", *map(heading, shown), "source", "choices"]
    print_table(console, header, lines, ["dataset", "model", "chain", "source"])
    return [f"  {number}  {text}" for text, number in notes.items()]
