"""metrics.jsonl: one line of numbers every few steps."""

from __future__ import annotations

import json
from pathlib import Path

from landmarks.store.files import write_text

JOURNAL = "metrics.jsonl"


def append_line(folder: Path, line: dict) -> None:
    with open(folder / JOURNAL, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(folder: Path) -> list[dict]:
    """All whole lines; a last one that was cut off is passed over."""
    path, lines = folder / JOURNAL, []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def cut_after(folder: Path, step: int) -> None:
    """Remove the lines after `step`: those steps are about to be done again."""
    kept = [line for line in read_lines(folder) if line["step"] <= step]
    write_text(folder / JOURNAL, "".join(json.dumps(line) + "\n" for line in kept))
