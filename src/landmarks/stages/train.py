"""train: the models of the configuration one after the other, each with its settings, journal and manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from accelerate import Accelerator

from landmarks.command import configured_by, next_command
from landmarks.config import Config, DatasetSettings, ModelSettings, TrainSettings
from landmarks.config.read_yaml import RUN_FILE
from landmarks.data.sampler import steps_and_part
from landmarks.data.train_set import TrainSet
from landmarks.datasets.images import require_images
from landmarks.errors import UserError
from landmarks.models.checkpoint import copy_model, save_model
from landmarks.progress import say
from landmarks.quantities import format_bytes
from landmarks.store.artefact import Artefact, fingerprint_of_file, read_manifest
from landmarks.store.tables import read_train
from landmarks.training.classifier_memory import classifier_memory
from landmarks.training.hardware import is_first_process, start_accelerator
from landmarks.training.learner import Learner, create_learner
from landmarks.training.loop import run_training
from landmarks.training.resume import RESUME

_SHAPE_NOTHING = {"workers", "log_steps", "checkpoint_minutes"}  # train settings that do not change the result


@dataclass(frozen=True)
class _Training:
    """One model and how it is trained; `artefact` is the folder of the result."""

    name: str
    model: ModelSettings
    settings: TrainSettings
    artefact: Artefact

    @property
    def learns(self) -> bool:
        return _learns(self.model, self.settings)


class _Images(NamedTuple):
    """ids (n,) strings; labels (n,) int64, dense: 0..classes-1; counts (classes,) images of each in the whole table."""

    ids: np.ndarray
    labels: np.ndarray
    counts: np.ndarray

    @property
    def classes(self) -> int:
        return len(self.counts)


def train(config: Config) -> list[Path]:
    """Train every model of `config.models`; returns their folders, <run.folder>/models/<name>.

    A model made with the same settings from the same table is left alone; an interrupted training continues at the image where
    it stopped. Works in one process and in many (`accelerate launch`). Raises UserError for tables, images and settings that
    training cannot use.
    """
    if not config.models:
        say("train: the configuration names no model, nothing to do")
        return []
    trainings = [_training(config, name) for name in config.models]
    missing = {training.name for training in trainings if not training.artefact.is_complete()}
    frozen = any(training.settings.freeze_backbone_steps for training in trainings)
    accelerator = start_accelerator(config.run.device, config.train.precision, some_unused=frozen) if missing else None
    for training in trainings:
        checkpoint = training.model.checkpoint
        if training.name not in missing:
            if is_first_process():
                (training.artefact.folder / RESUME).unlink(missing_ok=True)
                say(f"train {training.name}: up to date")
        elif checkpoint is not None:
            _take_over(training, checkpoint, config.run.overwrite, accelerator)
        else:
            _train_one(training, config.tables_folder, config.dataset, config.run.overwrite, accelerator)
    return [training.artefact.folder for training in trainings]


def _training(config: Config, name: str) -> _Training:
    model, settings = config.models[name], config.train_of(name)
    recipe: dict[str, Any] = {"name": name, "model": model.shaping({"weight", "recipe", "checkpoint"})}
    inputs: dict[str, str] = {}
    if model.checkpoint is not None:
        inputs = {"checkpoint": _manifest_elsewhere(model.checkpoint)["fingerprint"]}
    elif _learns(model, settings):
        recipe["train"] = settings.shaping(_SHAPE_NOTHING)
        inputs = {config.dataset.train_table: fingerprint_of_file(config.tables_folder / config.dataset.train_table)}
    else:  # the starting weights: no image is read
        recipe["train"] = {"epochs": 0, "seed": settings.seed}
    return _Training(name, model, settings, Artefact(config.run.folder / "models" / name, "train", recipe, inputs))


def _learns(model: ModelSettings, settings: TrainSettings) -> bool:
    return model.train and settings.epochs > 0


def _manifest_elsewhere(checkpoint: Path) -> dict[str, Any]:
    """The manifest of a model that another run trained, <run>/models/NAME; commands in its errors are those of that run."""
    run = checkpoint.absolute().parents[1]
    if (run / RUN_FILE).is_file():
        with configured_by([str(run)]):
            return read_manifest(checkpoint)
    try:
        return read_manifest(checkpoint)
    except UserError as error:
        raise UserError(error.what, where=error.where, next=f"copy the model again, or {next_command('adopt', str(checkpoint))}") from None


def _take_over(training: _Training, checkpoint: Path, overwrite: bool, accelerator: Accelerator) -> None:
    """Copy the trained model, with the size of its training set for the manifest."""
    artefact = training.artefact
    if accelerator.is_main_process:
        made = _manifest_elsewhere(checkpoint)
        artefact.begin(precious=True, overwrite=overwrite)
        copy_model(checkpoint, artefact.folder, training.model)
        artefact.finish(images=made.get("images", 0), classes=made.get("classes", 0), checkpoint=str(checkpoint.resolve()))
        say(f"train {training.name}: taken over from {checkpoint}")
    accelerator.wait_for_everyone()


def _train_one(training: _Training, folder: Path, dataset: DatasetSettings, overwrite: bool, accelerator: Accelerator) -> None:
    """The folder is begun only after every check: what fails before can be fixed without run.overwrite."""
    name, settings, artefact = training.name, training.settings, training.artefact
    first, part = accelerator.is_main_process, 0
    images = _read_images(folder / dataset.train_table, settings.overfit) if training.learns else None
    if images is not None:
        if settings.overfit and first:
            say(f"train {name}: on {len(images.ids)} images only (train.overfit), to see that its parts learn; the model has no other use")
        part = steps_and_part(len(images.ids), settings, accelerator.num_processes)[1]
        if first:
            require_images(folder, "train", images.ids)
    classes, counts = (1, None) if images is None else (images.classes, images.counts)
    learner = create_learner(name, training.model, settings, classes, counts)
    if first:
        artefact.begin(precious=True, overwrite=overwrite)
    accelerator.wait_for_everyone()
    if not first:
        artefact.share()
    facts: dict[str, Any] = {"images": 0, "classes": 0}
    if images is not None:
        if first:
            say(f"train {name}: {len(images.ids)} images of {images.classes} landmarks, {settings.epochs} epochs")
            _say_memory(name, settings, learner, part)
        train_set = TrainSet(folder, images.ids, images.labels, settings, dataset.max_pixels)
        line = run_training(name, artefact.folder, learner, train_set, settings, accelerator)
        facts = {"images": len(images.ids), "classes": images.classes} | line
    if first:
        save_model(artefact.folder, learner.model, training.model)
        artefact.finish(without=(RESUME,), **facts)
        (artefact.folder / RESUME).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    accelerator.free_memory()


def _say_memory(name: str, settings: TrainSettings, learner: Learner, part: int) -> None:
    classifier, dimensions = learner.classifier, learner.model.dimensions
    memory = classifier_memory(classifier.classes, classifier.centres, dimensions, part, settings.optimizer)
    weights, gradients, optimizer, computed, total = map(format_bytes, (*memory, sum(memory)))
    centres = f" x {classifier.centres} centres" if classifier.centres > 1 else ""
    say(
        f"train {name}: the classifier of {classifier.classes} landmarks{centres} x {dimensions} dimensions takes {total}: "
        f"weights {weights}, gradients {gradients}, optimizer {optimizer}, and {computed} while {part} images are computed"
    )


def _read_images(path: Path, overfit: int) -> _Images:
    """The training images of the table, `overfit` of them where that is not 0; the classes are those of the whole table."""
    table = read_train(path)
    landmarks, labels, counts = np.unique(table.landmark_ids, return_inverse=True, return_counts=True)
    if len(landmarks) < 2:
        raise UserError(
            f"{len(landmarks)} landmarks to tell apart: training needs at least 2",
            where=path,
            next="complete the table, or train.epochs=0 to use the starting weights",
        )
    ids = table.ids
    if overfit:
        ids, labels = _spread(ids, labels, overfit)
    return _Images(ids, labels, counts)


def _spread(ids: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows at equal distances: tables are often sorted by landmark, and the first rows would all show one."""
    rows = np.arange(min(count, len(ids))) * len(ids) // min(count, len(ids))
    return ids[rows], labels[rows]
