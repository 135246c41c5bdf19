"""shrink: the training pictures once more, as small as training needs them, so that decoding them keeps up with a GPU."""

from __future__ import annotations

from pathlib import Path

from landmarks.config import Config
from landmarks.data.copies import Copies
from landmarks.datasets.images import require_images
from landmarks.device import choose_device
from landmarks.errors import UserError
from landmarks.processes import all_processes
from landmarks.progress import say
from landmarks.training.shrunk import copies_of


def shrink(config: Config) -> Path:
    """Make <run.folder>/shrunk/train, laid out as the dataset's; returns <run.folder>/shrunk. `train.shrunk=true` then trains on it.

    A picture that cannot be read is left out and listed in the manifest; training reads the original, and says why. Several processes
    share the shards. Raises UserError where pictures are missing, the disk is too small, or no model of the run is trained.
    """
    copies = copies_of(config)
    if copies is None:
        raise UserError("no model of the configuration is trained", where="models", next="shrink.side=PIXELS")
    processes = all_processes(choose_device("cpu")[0])
    complete = copies.artefact.is_complete()
    processes.meet()
    if complete:
        if processes.first:
            say("shrink: up to date")
        return copies.artefact.folder
    processes.first_alone(lambda: _begin(config.tables_folder, copies))
    skipped = copies.make(processes)
    if processes.first:
        made = len(copies.ids) - len(skipped)
        say(f"shrink: {made} pictures of at most {copies.side} pixels; to train on them: train.shrunk=true")
    return copies.artefact.folder


def _begin(tables: Path, copies: Copies) -> None:
    require_images(tables, "train", copies.ids)
    if words := copies.begin():
        say(f"shrink: pictures of at most {copies.side} pixels, {words} (estimate)")
