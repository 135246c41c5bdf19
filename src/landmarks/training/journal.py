"""The training journal, metrics.jsonl: one line of numbers every few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from landmarks.store.files import write_text

JOURNAL = "metrics.jsonl"


def append_line(folder: Path, line: dict[str, Any]) -> None:
    with open(folder / JOURNAL, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """All complete lines, none without a journal; a last line that was cut off is ignored."""
    path, lines = folder / JOURNAL, []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def remove_lines_after(folder: Path, step: int) -> None:
    """Remove the lines after `step`, since those steps are about to be repeated."""
    kept = [line for line in read_lines(folder) if line["step"] <= step]
    write_text(folder / JOURNAL, "".join(json.dumps(line) + "\n" for line in kept))
