"""Which smaller copies of the training pictures a training needs, and whether they are there."""

from __future__ import annotations

from pathlib import Path

from landmarks.command import next_command
from landmarks.config import Config, TrainSettings
from landmarks.data.copies import Copies
from landmarks.data.train_set import SHRUNK, side_needed
from landmarks.errors import UserError
from landmarks.store.artefact import MANIFEST, fingerprint_of_file, read_manifest
from landmarks.store.manifest import read_manifest_file


def shrunk_fingerprint(run_folder: Path, model: Path, table: Path, settings: TrainSettings) -> str:
    """That of `require_shrunk`; where the copies are gone, the one that the finished model in the folder `model` was trained with.

    A model that is not finished by the recipe with this fingerprint still needs `require_shrunk`.
    """
    if not (run_folder / SHRUNK / MANIFEST).exists():
        made = read_manifest_file(model / MANIFEST, complete=True) or {}
        inputs = made.get("inputs", {})
        if "shrunk" in inputs and inputs.get(table.name) == fingerprint_of_file(table):
            return inputs["shrunk"]
    return require_shrunk(run_folder, table, settings)


def copies_of(config: Config) -> Copies | None:
    """The copies that all models of a configuration can be trained on; None where none is trained and no size is set."""
    sides = [side_needed(config.train_of(name)) for name in config.trained_models]
    side = config.shrink.side or max(sides, default=0)
    table = config.tables_folder / config.dataset.train_table
    return Copies(config.run.folder, table, side, config.shrink, config.dataset.max_pixels) if side else None


def has_shrunk(copies: Copies, settings: TrainSettings) -> bool:
    """Whether copies are there that a training with these settings can use, by `shrink` with whatever settings."""
    try:
        require_shrunk(copies.run_folder, copies.table, settings)
    except UserError:
        return False
    return True


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
