"""Training images that could not be read: listed when they are met, so that none is left out silently."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from landmarks.progress import say
from landmarks.reading import read_bytes, refuse_irregular

SKIPPED = "skipped.jsonl"
_SHOWN = 5  # images that are named on the screen


class SkippedImages:
    """Those that this process has met, each once; every process adds lines to the same file, {"id": ..., "why": ...}.

    name  of the model, for messages
    ids   (n,) strings of the training set's rows
    """

    def __init__(self, name: str, folder: Path, ids: np.ndarray):
        self._name, self._path, self._ids = name, folder / SKIPPED, ids
        self._met: set[int] = set()
        if self._path.is_file() and not read_bytes(self._path).endswith(b"\n"):  # a line that was cut off takes the next with it
            with open(self._path, "a", encoding="utf-8") as file:
                file.write("\n")

    def add(self, skipped: dict[int, str]) -> None:
        """Take note of rows and why each cannot be read."""
        for row, why in skipped.items():
            if row in self._met:
                continue
            self._met.add(row)
            id = str(self._ids[row])
            refuse_irregular(self._path)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"id": id, "why": why}) + "\n")
            if len(self._met) <= _SHOWN:
                say(f"train {self._name}: skipped '{id}': {why}; another image stands in its place")
            if len(self._met) == _SHOWN:
                say(f"train {self._name}: more of them are listed in {self._path}")


def read_skipped(folder: Path) -> dict[str, str]:
    """id -> why, of all that were skipped so far; a line that was cut off is left out."""
    path = folder / SKIPPED
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in read_bytes(path).split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
            found[str(entry["id"])] = str(entry["why"])
        except (ValueError, KeyError, TypeError):
            continue
    return dict(sorted(found.items()))
