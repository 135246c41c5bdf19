"""Which images a model knows, by the manifests of its training and of those whose weights it started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import TrainSettings
from landmarks.errors import UserError
from landmarks.models.checkpoint import WEIGHTS
from landmarks.progress import say
from landmarks.store.artefact import MANIFEST, fingerprint_of_file, read_manifest
from landmarks.store.manifest import read_manifest_file
from landmarks.store.tables import read_train
from landmarks.training.held_out import hold_out
from landmarks.training.images import images_of

START = "start_from"  # in a manifest: the fingerprint among its inputs, the place beside them
HELD_OUT_BY = ("seed", "validation", "validation_images", "validation_gallery")  # settings of `train`: another, and other images are


def manifest_of_training(folder: Path, checkpoint: Path | None) -> dict[str, Any]:
    """The manifest of the training itself, of the model in `folder`: of one that was taken over, that of its checkpoint.

    Raises UserError where the folder that it was taken over from is gone, or holds another model by now.
    """
    manifest = read_manifest(folder)
    if "checkpoint" not in manifest["inputs"]:
        return manifest
    origin = checkpoint or Path(manifest["checkpoint"])
    there = read_manifest_file(origin / MANIFEST, complete=True)
    if there is None or there["fingerprint"] != manifest["inputs"]["checkpoint"]:
        what = f"which images '{folder.name}' was trained on is not known: the folder that it was taken over from is gone, or another model"
        raise UserError(what, where=origin, next=f"models.{folder.name}.checkpoint=FOLDER, where that model is now")
    return manifest_of_training(origin, None)


def settings_of_training(manifest: dict[str, Any]) -> dict[str, Any]:
    """Those that say which images it held out; a default may be left out of a manifest."""
    kept, unset = manifest["settings"]["train"], TrainSettings()
    return {key: kept.get(key, getattr(unset, key)) for key in HELD_OUT_BY}


def known_before(name: str, manifest: dict[str, Any], source: Path | None, tables: Path) -> np.ndarray:
    """The ids, strings, of all images that the trainings before knew: that of train.start_from, the one that it started from, and so on.

    name      of the model, for messages
    manifest  of its training
    source    its train.start_from by the settings of today; None: where the manifest has it
    tables    folder of the training tables
    Weights whose training is not known, those of somebody else, are named on the screen, and so is a training on a table that is not in
    this folder, or has changed. Raises UserError where the folder of a training is gone.
    """
    if START not in manifest["inputs"]:
        return np.array([], object)
    folder = _source(name, manifest, source)
    if folder is None:
        return np.array([], object)
    before = manifest_of_training(folder, None)
    own = _own_images(name, before, folder, tables) if before.get("classes") else np.array([], object)
    return np.union1d(own, known_before(name, before, None, tables))


def _source(name: str, manifest: dict[str, Any], source: Path | None) -> Path | None:
    """The model folder that the training started from; None for weights without a training that is known."""
    places = [place for place in (source, Path(manifest[START]) if START in manifest else None) if place is not None]
    for place in places:
        folder = place.parent if place.name == WEIGHTS else place
        made = read_manifest_file(folder / MANIFEST, complete=True)
        found = fingerprint_of_file(place) if place.is_file() else None if made is None else made["fingerprint"]
        if found == manifest["inputs"][START]:
            if made is None:
                say(f"which images {place} was trained on, where '{name}' started, is not known: if held-out ones, its weight is too large")
            return None if made is None else folder
    raise UserError(
        f"which images '{name}' was trained on is not known: the weights that it started from are gone, or others",
        where=places[0] if places else f"models.{name}, which says nowhere where they were",
        next=f"models.{name}.recipe.start_from=PLACE, where these weights are now",
    )


def _own_images(name: str, manifest: dict[str, Any], folder: Path, tables: Path) -> np.ndarray:
    """The ids of the images of one training."""
    settings = manifest["settings"]["train"]
    inputs = {table: digest for table, digest in manifest["inputs"].items() if table not in (START, "shrunk")}
    table = next(iter(inputs.keys() - {settings.get("clean_table")}), settings.get("clean_table"))
    path = tables / str(table)
    if not path.is_file() or fingerprint_of_file(path) != inputs.get(str(table)):
        what = f"'{name}' started from {folder}, which was trained on another {table} than {path}"
        say(f"{what}: if on held-out images, its weight is too large")
        return np.array([], object)
    read = read_train(path)
    images = images_of(read, read, settings.get("overfit", 0), path)
    held = settings_of_training(manifest)
    if not held["validation_images"]:
        return images.ids
    by_landmark = held["validation"] == "landmarks"
    return images.ids[
        hold_out(images.labels, held["validation_images"], held["validation_gallery"], landmarks=by_landmark, seed=held["seed"]).training
    ]
