"""The training journal, metrics.jsonl: one line of numbers every few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from landmarks.errors import UserError, shown
from landmarks.reading import read_bytes, refuse_irregular
from landmarks.store.files import write_text
from landmarks.store.json_files import parse_object

JOURNAL = "metrics.jsonl"


def append_line(folder: Path, line: dict[str, Any]) -> None:
    refuse_irregular(folder / JOURNAL)
    with open(folder / JOURNAL, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """All complete lines, none without a journal; a last line that was cut off is ignored.

    Raises UserError for any other line that is no object with a step.
    """
    path, lines = folder / JOURNAL, []
    if not path.exists():
        return []
    *whole, _ = read_bytes(path).split(b"\n")  # behind the last line feed is nothing, or a line that was cut off
    for number, text in enumerate(whole, start=1):
        try:
            lines.append(parse_object(text.decode("utf-8"), {"step": int}))
        except ValueError as error:
            where = f"{path}, line {number}"
            raise UserError(f"not a line of a training journal: {shown(error)}", where=where, next="delete that line") from None
    return lines


def remove_lines_after(folder: Path, step: int) -> None:
    """Remove the lines after `step`, since those steps are about to be repeated."""
    kept = [line for line in read_lines(folder) if line["step"] <= step]
    write_text(folder / JOURNAL, "".join(json.dumps(line) + "\n" for line in kept))
