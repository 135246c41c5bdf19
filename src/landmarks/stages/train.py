"""train: one trained model after the other, each with its settings, journal and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from landmarks.config import Config, ModelSettings
from landmarks.data.sampler import steps_and_part
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import require_images
from landmarks.errors import UserError
from landmarks.models.checkpoint import save_model, take_over_model
from landmarks.progress import say
from landmarks.store.artefact import Artefact, fingerprint_of_file, read_manifest
from landmarks.store.tables import read_train
from landmarks.training.hardware import is_first_process, start_accelerator
from landmarks.training.learner import create_learner
from landmarks.training.loop import run_training
from landmarks.training.resume import RESUME

_SHAPE_NOTHING = {"workers", "log_steps", "checkpoint_minutes"}  # train settings that leave the result as it is


def train(config: Config) -> list[Path]:
    """Train every model of `config.models`; returns their folders, <run.folder>/models/<name>.

    A model that is there, made with the same settings from the same table, is left alone; one that was cut off goes on at
    the image where it stopped. Works in one process and in many (`accelerate launch`). Raises UserError for tables, images and
    settings that training cannot use.
    """
    if not config.models:
        say("train: the configuration names no model, nothing to do")
        return []
    artefacts = {name: _artefact(config, name, model) for name, model in config.models.items()}
    missing = {name for name, artefact in artefacts.items() if not artefact.is_complete()}
    accelerator = start_accelerator(config.run.device, config.train.precision) if missing else None
    for name, artefact in artefacts.items():
        if name in missing and config.models[name].checkpoint is not None:
            _take_over(config, name, artefact, accelerator)
        elif name in missing:
            _train_one(config, name, artefact, accelerator)
        elif is_first_process():
            (artefact.folder / RESUME).unlink(missing_ok=True)
            say(f"train {name}: up to date")
    return [artefact.folder for artefact in artefacts.values()]


def _artefact(config: Config, name: str, model: ModelSettings) -> Artefact:
    settings: dict[str, Any] = {"name": name, "model": model.model_dump(mode="json", exclude={"weight", "recipe", "checkpoint"})}
    if model.checkpoint is not None:
        return Artefact(
            config.run.folder / "models" / name, "train", settings, {"checkpoint": read_manifest(model.checkpoint)["fingerprint"]}
        )
    if not _learns(config, name):  # the starting weights: no image is looked at
        settings["train"] = {"epochs": 0, "seed": config.train_of(name).seed}
        inputs = {}
    else:
        settings["train"] = config.train_of(name).model_dump(mode="json", exclude=_SHAPE_NOTHING)
        inputs = {config.dataset.train_table: fingerprint_of_file(config.tables_folder / config.dataset.train_table)}
    return Artefact(config.run.folder / "models" / name, "train", settings, inputs)


def _take_over(config: Config, name: str, artefact: Artefact, accelerator: Accelerator) -> None:
    """What the checkpoint was trained on stands in the manifest here as well."""
    model = config.models[name]
    if accelerator.is_main_process:
        made = read_manifest(model.checkpoint)
        artefact.begin(precious=True, overwrite=config.run.overwrite)
        take_over_model(model.checkpoint, artefact.folder, model)
        artefact.finish(images=made.get("images", 0), classes=made.get("classes", 0), checkpoint=str(model.checkpoint.resolve()))
        say(f"train {name}: taken over from {model.checkpoint}")
    accelerator.wait_for_everyone()


def _train_one(config: Config, name: str, artefact: Artefact, accelerator: Accelerator) -> None:
    """The folder is begun only after every check: what fails before it can be mended without run.overwrite."""
    settings, model_settings, first = config.train_of(name), config.models[name], accelerator.is_main_process
    learns = _learns(config, name)
    ids, labels, classes = _read_labels(config) if learns else ((), (), 1)
    if learns and settings.overfit:
        ids, labels = _spread(ids, labels, settings.overfit)
        if first:
            say(f"train {name}: on {len(ids)} images alone (train.overfit); this shows that the parts learn, the model is of no other use")
    if learns:
        steps_and_part(len(ids), settings, accelerator.num_processes)
        if first:
            require_images(config.tables_folder, "train", ids)
    learner = create_learner(name, model_settings, settings, classes)
    if first:
        artefact.begin(precious=True, overwrite=config.run.overwrite)
    accelerator.wait_for_everyone()
    line = {}
    if learns:
        if first:
            say(f"train {name}: {len(ids)} images of {classes} landmarks, {settings.epochs} epochs")
        train_set = TrainSet(config.tables_folder, ids, labels, settings)
        line = run_training(name, artefact.folder, learner, train_set, settings, accelerator)
    if first:
        save_model(artefact.folder, learner.model, model_settings)
        artefact.finish(images=len(ids), classes=classes if learns else 0, **line)
        (artefact.folder / RESUME).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    accelerator.free_memory()


def _learns(config: Config, name: str) -> bool:
    return config.models[name].train and config.train_of(name).epochs > 0


def _read_labels(config: Config) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids (n,), labels (n,) int64 made dense 0..classes-1, classes."""
    path = config.tables_folder / config.dataset.train_table
    table = read_train(path)
    landmarks, labels = np.unique(table.landmark_ids, return_inverse=True)
    if len(landmarks) < 2:
        raise UserError(
            f"{len(landmarks)} landmarks to tell apart: training needs at least 2",
            where=path,
            next="complete the table, or train.epochs=0 to use the starting weights",
        )
    return table.ids, labels, len(landmarks)


def _spread(ids: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows at equal distances: tables are often sorted by landmark, and the first rows would be of one alone."""
    rows = np.arange(min(count, len(ids))) * len(ids) // min(count, len(ids))
    return ids[rows], labels[rows]
