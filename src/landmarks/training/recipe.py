"""What a model is trained with, and the folder that it makes: its recipe decides whether it is up to date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landmarks.command import configured_by, next_command
from landmarks.config import Config, ModelSettings, TrainSettings
from landmarks.config.read_yaml import RUN_FILE
from landmarks.errors import UserError
from landmarks.store.artefact import MANIFEST, RECIPE, Artefact, fingerprint_of_file, read_manifest
from landmarks.store.json_files import all_writable
from landmarks.store.manifest import read_manifest_file
from landmarks.store.skipped_rows import is_same_but_for_skipped
from landmarks.training.shrunk import shrunk_fingerprint
from landmarks.training.trained_on import START

# Train settings that do not change the result, or not under their own name.
_SHAPE_NOTHING = {"workers", "log_steps", "checkpoint_minutes", "on_error", "start_from", "on_nonfinite", "track"}


@dataclass(frozen=True)
class Training:
    """One model and how it is trained; `artefact` is the folder of the result."""

    name: str
    model: ModelSettings
    settings: TrainSettings
    artefact: Artefact

    @property
    def learns(self) -> bool:
        return _learns(self.model, self.settings)


def training_of(config: Config, name: str) -> Training:
    model, settings, folder = config.models[name], config.train_of(name), config.run.folder / "models" / name
    recipe: dict[str, Any] = {"name": name, "model": model.shaping({"weight", "recipe", "checkpoint"})}
    inputs: dict[str, str] = {}
    if model.checkpoint is not None:
        inputs = {"checkpoint": manifest_elsewhere(model.checkpoint)["fingerprint"]}
    elif _learns(model, settings):
        settings = _as_earlier(settings, recipe, folder)
        recipe["train"] = _recipe(settings)
        tables = [config.dataset.train_table, *([settings.clean_table] if settings.clean_table else [])]
        inputs = {table: fingerprint_of_file(config.tables_folder / table) for table in tables}
        if settings.start_from is not None:
            inputs[START] = _fingerprint(settings.start_from)
        if settings.shrunk:
            inputs["shrunk"] = shrunk_fingerprint(config.run.folder, folder, config.tables_folder / config.dataset.train_table, settings)
    elif model.train and settings.start_from is not None:
        next = f"models.{name}.checkpoint={settings.start_from}, without train.start_from"
        raise UserError("no epoch trains the weights of train.start_from", where=f"models.{name}, train.epochs=0", next=next)
    else:  # the starting weights: no image is read
        recipe["train"] = {"epochs": 0, "seed": settings.seed}
    artefact = Artefact(folder, "train", recipe, inputs)
    path, made = config.tables_folder / config.dataset.train_table, read_manifest_file(folder / MANIFEST, complete=True) or {}
    if path.name in inputs and is_same_but_for_skipped(path, made):
        finished = Artefact(folder, "train", recipe, inputs | {path.name: made["inputs"].get(path.name)})
        artefact = finished if finished.is_complete() else artefact
    return Training(name, model, settings, artefact)


def _recipe(settings: TrainSettings) -> dict[str, Any]:
    """Of smaller copies only those that are asked for: others are a matter of the machine, as its precision is."""
    asked = {"shrunk": True} if settings.shrunk else {}
    return settings.shaping({*_SHAPE_NOTHING, "shrunk"}) | {"accumulate": settings.parts} | asked


def _as_earlier(settings: TrainSettings, recipe: dict[str, Any], folder: Path) -> TrainSettings:
    """The settings; with learned statistics where an earlier version made or began the model so, for which that was the default.

    recipe  without that of the training
    """
    earlier = settings.model_copy(update={"freeze_batchnorm": False})
    made = read_manifest_file(folder / RECIPE, complete=False)
    is_earlier = made is not None and made["settings"] == all_writable({**recipe, "train": _recipe(earlier)})
    return earlier if settings.freeze_batchnorm is None and is_earlier else settings


def _fingerprint(weights: Path) -> str:
    return fingerprint_of_file(weights) if weights.is_file() else manifest_elsewhere(weights)["fingerprint"]


def _learns(model: ModelSettings, settings: TrainSettings) -> bool:
    return model.train and settings.epochs > 0


def manifest_elsewhere(checkpoint: Path) -> dict[str, Any]:
    """The manifest of a model that another run trained, <run>/models/NAME; commands in its errors are those of that run."""
    run = checkpoint.absolute().parents[1]
    if (run / RUN_FILE).is_file():
        with configured_by([str(run)]):
            return read_manifest(checkpoint)
    try:
        return read_manifest(checkpoint)
    except UserError as error:
        raise UserError(error.what, where=error.where, next=f"copy the model again, or {next_command('adopt', str(checkpoint))}") from None
