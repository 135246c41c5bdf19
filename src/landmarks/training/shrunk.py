"""Whether the smaller copies of the training pictures are those that a training needs."""

from __future__ import annotations

from pathlib import Path

from landmarks.command import next_command
from landmarks.config import TrainSettings
from landmarks.data.train_set import SHRUNK, side_needed
from landmarks.errors import UserError
from landmarks.store.artefact import fingerprint_of_file, read_manifest


def require_shrunk(run_folder: Path, table: Path, settings: TrainSettings) -> str:
    """The fingerprint of what `shrink` made in the run folder from the pictures of the table.

    Raises UserError where it is not there, was made from another table, or is too small for the crops.
    """
    folder, needed = run_folder / SHRUNK, side_needed(settings)
    made = read_manifest(folder)
    if made["inputs"].get(table.name) != fingerprint_of_file(table):
        raise UserError(f"made from another {table.name}", where=folder, next=next_command("shrink"))
    if made["side"] < needed:
        what = f"pictures of {made['side']} pixels, and the crops need {needed}"
        raise UserError(what, where=folder, next=next_command("shrink", f"shrink.side={needed}"))
    return made["fingerprint"]
