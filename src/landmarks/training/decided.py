"""What a training found out for itself where its settings leave it open: kept, so that a run that resumes it repeats it."""

from __future__ import annotations

from pathlib import Path

from landmarks.store.files import write_json
from landmarks.store.json_files import read_object

DECIDED = "decided.json"  # in the folder of a training that was begun; a finished model's manifest has it
_KINDS = {"freeze_batchnorm": bool, "shrunk": bool}


def read_decided(folder: Path) -> dict[str, bool]:
    """Setting -> what was decided; empty where nothing was. Raises UserError for a file that no training wrote."""
    try:
        return read_object(folder / DECIDED, "what a training decided", {}, _KINDS, next="delete it")
    except FileNotFoundError:
        return {}


def keep_decided(folder: Path, setting: str, value: bool) -> None:
    """Write it, beside what was decided before. For the first process, when no other one is about to read."""
    write_json(folder / DECIDED, read_decided(folder) | {setting: value})
