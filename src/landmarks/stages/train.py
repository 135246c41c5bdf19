"""train: the models of the configuration one after the other, each with its settings, journal and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate import Accelerator

from landmarks.config import Config, DatasetSettings, TrainSettings
from landmarks.data.copies import Copies
from landmarks.data.draws import epoch_length
from landmarks.data.sampler import steps_and_part
from landmarks.data.train_set import SHRUNK, TrainSet, side_needed
from landmarks.datasets.images import missing_images, require_images
from landmarks.errors import UserError
from landmarks.machine import is_first_process
from landmarks.models.checkpoint import copy_model, save_model
from landmarks.ops.sides import Sides
from landmarks.progress import say
from landmarks.store.artefact import MANIFEST
from landmarks.store.skipped_rows import skipped_facts
from landmarks.training.best import BEST
from landmarks.training.classifier_memory import classifier_memory
from landmarks.training.decided import DECIDED, read_decided
from landmarks.training.hardware import start_accelerator
from landmarks.training.images import BEGUN, TrainingImages, read_begun_shapes, training_images, weights_of, write_begun
from landmarks.training.kept_classifier import save_classifier
from landmarks.training.learner import Learner
from landmarks.training.loop import run_training
from landmarks.training.memory import FOUND
from landmarks.training.recipe import Training, manifest_elsewhere, training_of
from landmarks.training.resume import RESUME
from landmarks.training.shrunk import copies_of, require_shrunk
from landmarks.training.skipped import SKIPPED, SkippedImages, read_skipped
from landmarks.training.start import begin_learner
from landmarks.training.tracking import require_tracker
from landmarks.training.trained_on import START
from landmarks.training.validation import Validation, hold_out_images

_WHILE_TRAINING = (RESUME, FOUND, BEGUN, SKIPPED, BEST, DECIDED)  # files that a finished model does not need


def train(config: Config) -> list[Path]:
    """Train every model of `config.models`; returns their folders, <run.folder>/models/<name>.

    A model made with the same settings from the same table is left alone; an interrupted training continues at the image where
    it stopped. Works in one process and in many (`accelerate launch`). Raises UserError for tables, images and settings that
    training cannot use.
    """
    if not config.models:
        say("train: the configuration names no model, nothing to do")
        return []
    trainings = [training_of(config, name) for name in config.models]
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
            _train_one(
                training, config.tables_folder, config.dataset, config.run.overwrite, accelerator, _copies(config, training.settings)
            )
    return [training.artefact.folder for training in trainings]


def _take_over(training: Training, checkpoint: Path, overwrite: bool, accelerator: Accelerator) -> None:
    """Copy the trained model, with the size of its training set for the manifest."""
    artefact = training.artefact
    if accelerator.is_main_process:
        made = manifest_elsewhere(checkpoint)
        artefact.begin(precious=True, overwrite=overwrite)
        copy_model(checkpoint, artefact.folder, training.model)
        artefact.finish(images=made.get("images", 0), classes=made.get("classes", 0), checkpoint=str(checkpoint.resolve()))
        say(f"train {training.name}: taken over from {checkpoint}")
    accelerator.wait_for_everyone()


def _copies(config: Config, settings: TrainSettings) -> Copies | None:
    """Smaller copies that this training may go over to by itself; None where it says itself, and where shrink.side is too small for it."""
    copies = copies_of(config) if settings.shrunk is None else None
    return copies if copies is not None and copies.side >= side_needed(settings) else None


def _train_one(
    training: Training, folder: Path, dataset: DatasetSettings, overwrite: bool, accelerator: Accelerator, copies: Copies | None
) -> None:
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
        line = run_training(name, artefact.folder, learner, train_set, settings, accelerator, validation, copies)
        started = {START: str(settings.start_from.resolve())} if settings.start_from is not None else {}
        facts = {"images": len(images.ids), "classes": images.classes} | line | started
        accelerator.wait_for_everyone()  # until every process has listed what it skipped
        if decided := read_decided(artefact.folder):
            facts["decided"] = decided
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
