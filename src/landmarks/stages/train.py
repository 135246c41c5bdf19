"""train: the models of the configuration one after the other, each with its settings, journal and manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from landmarks.command import configured_by, next_command
from landmarks.config import Config, DatasetSettings, ModelSettings, TrainSettings
from landmarks.config.read_yaml import RUN_FILE
from landmarks.data.draws import epoch_length
from landmarks.data.sampler import steps_and_part
from landmarks.data.train_set import SHRUNK, TrainSet
from landmarks.datasets.images import missing_images, require_images
from landmarks.errors import UserError
from landmarks.machine import is_first_process
from landmarks.models.checkpoint import copy_model, save_model
from landmarks.ops.sides import Sides
from landmarks.progress import say
from landmarks.store.artefact import MANIFEST, Artefact, fingerprint_of_file, read_manifest
from landmarks.store.manifest import read_manifest_file
from landmarks.store.skipped_rows import is_same_but_for_skipped, skipped_facts
from landmarks.training.best import BEST
from landmarks.training.classifier_memory import classifier_memory
from landmarks.training.hardware import start_accelerator
from landmarks.training.images import BEGUN, TrainingImages, read_begun_shapes, training_images, weights_of, write_begun
from landmarks.training.kept_classifier import save_classifier
from landmarks.training.learner import Learner
from landmarks.training.loop import run_training
from landmarks.training.memory import FOUND
from landmarks.training.resume import RESUME
from landmarks.training.shrunk import require_shrunk, shrunk_fingerprint
from landmarks.training.skipped import SKIPPED, SkippedImages, read_skipped
from landmarks.training.start import begin_learner
from landmarks.training.tracking import require_tracker
from landmarks.training.trained_on import START
from landmarks.training.validation import Validation, hold_out_images

# Train settings that do not change the result, or not under their own name.
_SHAPE_NOTHING = {"workers", "log_steps", "checkpoint_minutes", "on_error", "start_from", "on_nonfinite", "track"}

_WHILE_TRAINING = (RESUME, FOUND, BEGUN, SKIPPED, BEST)  # files that a finished model does not need


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
    for training in trainings:
        if training.name in missing:
            require_tracker(training.settings.track)
            if "shrunk" in training.artefact.recipe["inputs"]:
                require_shrunk(config.run.folder, config.tables_folder / config.dataset.train_table, training.settings)
    frozen = any(training.settings.freeze_backbone_steps for training in trainings)
    accelerator = start_accelerator(config.run.device, config.train.precision, some_unused=frozen) if missing else None
    for training in trainings:
        checkpoint = training.model.checkpoint
        if training.name not in missing:
            if is_first_process():
                _tidy(training.artefact.folder)
                say(f"train {training.name}: up to date")
        elif checkpoint is not None:
            _take_over(training, checkpoint, config.run.overwrite, accelerator)
        else:
            _train_one(training, config.tables_folder, config.dataset, config.run.overwrite, accelerator)
    return [training.artefact.folder for training in trainings]


def _training(config: Config, name: str) -> _Training:
    model, settings, folder = config.models[name], config.train_of(name), config.run.folder / "models" / name
    recipe: dict[str, Any] = {"name": name, "model": model.shaping({"weight", "recipe", "checkpoint"})}
    inputs: dict[str, str] = {}
    if model.checkpoint is not None:
        inputs = {"checkpoint": _manifest_elsewhere(model.checkpoint)["fingerprint"]}
    elif _learns(model, settings):
        recipe["train"] = settings.shaping(_SHAPE_NOTHING) | {"accumulate": settings.parts}
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
    return _Training(name, model, settings, artefact)


def _fingerprint(weights: Path) -> str:
    return fingerprint_of_file(weights) if weights.is_file() else _manifest_elsewhere(weights)["fingerprint"]


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
    first, part, continues = accelerator.is_main_process, 0, False
    images: TrainingImages | None = None
    validation: Validation | None = None
    if training.learns:
        images, continues = training_images(folder / dataset.train_table, artefact.folder, artefact.recipe, settings.overfit)
        if settings.overfit and first:
            say(f"train {name}: on {len(images.ids)} images only (train.overfit), to see that its parts learn; the model has no other use")
        if first:
            _require_images(name, folder, images, settings)  # those that are held out too
        images, validation = hold_out_images(name, folder, images, settings, dataset.max_pixels)
        part = steps_and_part(epoch_length(images.labels, settings.sampler), settings, accelerator.num_processes)[1]
    learner, started_with = begin_learner(name, training.model, settings, images)
    if first:
        artefact.begin(precious=True, overwrite=overwrite, continues=continues)
        if images is not None and not continues:
            write_begun(artefact.folder, folder, images, with_shapes=settings.aspect_batches)
    accelerator.wait_for_everyone()
    if not first:
        artefact.share()
    facts: dict[str, Any] = {"images": 0, "classes": 0}
    if images is not None:
        if first:
            say(f"train {name}: {len(images.ids)} images of {images.classes} landmarks, {settings.epochs} epochs")
            if started_with:
                say(f"train {name}: starts from {settings.start_from}: {started_with}")
            _say_memory(name, settings, learner, part)
            for size in settings.sizes:
                if (side := learner.model.sides.one(size)) != size:
                    say(f"train {name}: crops of {side} pixels, not {size}: {training.model.backbone} takes {learner.model.sides}")
        if validation is not None:
            validation.skipped = SkippedImages(name, artefact.folder, validation.ids)
        train_set = _train_set(folder, artefact.folder, images, settings, dataset.max_pixels, learner.model.sides)
        line = run_training(name, artefact.folder, learner, train_set, settings, accelerator, validation)
        started = {START: str(settings.start_from.resolve())} if settings.start_from is not None else {}
        facts = {"images": len(images.ids), "classes": images.classes} | line | started
        accelerator.wait_for_everyone()  # until every process has listed what it skipped
        if skipped := read_skipped(artefact.folder):
            facts |= skipped_facts(skipped, folder / dataset.train_table, artefact.recipe["inputs"])
            if first:
                say(f"train {name}: {len(skipped)} images skipped, listed in {artefact.folder / MANIFEST}")
    if first:
        save_model(artefact.folder, learner.model, training.model)
        if images is not None and settings.keep_classifier:
            save_classifier(artefact.folder, learner, images.landmarks)
        artefact.finish(without=_WHILE_TRAINING, **facts)
        _tidy(artefact.folder)
    accelerator.wait_for_everyone()
    accelerator.free_memory()


def _tidy(folder: Path) -> None:
    for name in _WHILE_TRAINING:
        (folder / name).unlink(missing_ok=True)


def _require_images(name: str, folder: Path, images: TrainingImages, settings: TrainSettings) -> None:
    wanted = images.ids[~images.removed]
    if settings.on_error == "stop":
        try:
            require_images(folder, "train", wanted)
        except UserError as error:
            raise UserError(error.what, where=error.where, next=f"{error.next}, or train.on_error=skip") from None
        return
    missing = missing_images(folder, "train", wanted)
    if len(missing) == len(wanted):
        require_images(folder, "train", wanted)
    if missing:
        say(f"train {name}: {len(missing)} of {len(wanted)} images are missing, first '{missing[0]}': others stand in their places")


def _train_set(folder: Path, model: Path, images: TrainingImages, settings: TrainSettings, max_pixels: int, sides: Sides) -> TrainSet:
    return TrainSet(
        folder,
        images.ids,
        images.labels,
        settings,
        max_pixels,
        shapes=read_begun_shapes(model, images.rows) if settings.aspect_batches else None,
        weights=weights_of(images, folder, settings),
        removed=images.removed if images.removed.any() else None,
        sides=sides,
        shrunk=model.parents[1] / SHRUNK if settings.shrunk else None,
    )


def _say_memory(name: str, settings: TrainSettings, learner: Learner, part: int) -> None:
    classifier, dimensions = learner.classifier, learner.model.dimensions
    memory = classifier_memory(classifier.classes, classifier.centres, dimensions, part, settings.optimizer, settings.ema > 0)
    centres = f" x {classifier.centres} centres" if classifier.centres > 1 else ""
    say(
        f"train {name}: the classifier of {classifier.classes} landmarks{centres} x {dimensions} dimensions takes {memory.in_words()} "
        f"while {part} images are computed"
    )
