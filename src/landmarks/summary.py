"""What a person sees at the end of a run: scores, seconds, and where everything lies."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from landmarks.config import Config


def print_summary(config: Config, seconds: dict[str, float]) -> None:
    """Print the results of run.folder; `seconds` says how long each stage took this time."""
    console = Console(highlight=False)
    folder = config.run.folder
    if (folder / "metrics.json").is_file() and "evaluate" in seconds:
        _print_scores(console, json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    console.print(
        "stages: " + ", ".join(f"{name} {took:.1f} s" for name, took in seconds.items()) + f"; {sum(seconds.values()):.1f} s in all",
        soft_wrap=True,
    )
    lines = {
        "dataset": config.tables_folder,
        "models": folder / "models",
        "descriptors": folder / "descriptors",
        "rankings": folder / "rankings",
        "submission": folder / "submission.csv",
        "scores": folder / "ablation.csv",
        "per query": folder / "per_query.csv",
        "report": folder / "report" / "index.html",
    }
    for name, path in lines.items():
        if path.exists():
            console.print(f"{name:<12} {path}", soft_wrap=True)


def _print_scores(console: Console, metrics: dict) -> None:
    chains, groups = metrics["chains"], metrics["groups"]
    counts = ", ".join(f"{number} {usage.lower()}" for usage, number in sorted(metrics["queries"].items()))
    console.print(f"\nmAP@100 in percent ({counts} queries)")
    table = Table()
    table.add_column("chain")
    for name in ("private", "public", *groups, "seconds"):
        table.add_column(name, justify="right")
    for chain, row in chains.items():
        scores = [row["map_private"], row["map_public"], *(group[chain] for group in groups.values())]
        table.add_row(chain, *("-" if score is None else f"{score:.2f}" for score in scores), f"{row['seconds']:.2f}")
    console.print(table)
