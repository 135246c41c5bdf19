"""Whether the backbone's BatchNorm keeps the statistics that it begins with, where the settings leave it open.

Statistics of few images are far from those of all (Wu and He, ECCV 2018, figure 1), and so is what they leave for test time. Those of
published weights come from many. What either is worth is in EXPERIMENTS.md (2026-11-26, frozen norms).
"""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.progress import say
from landmarks.training.decided import keep_decided, read_decided
from landmarks.training.learner import Learner

FEW_IMAGES = 16


def keeps_statistics(settings: TrainSettings, learner: Learner, counted: int) -> bool:
    """Whether those of the backbone stay, where settings.freeze_batchnorm is unset: of trained weights, where new ones would be worse.

    counted  images that a statistic would come from
    """
    return settings.freeze_batchnorm is None and learner.begins_trained and learner.has_batchnorm and counted < FEW_IMAGES


def choose_frozen_norms(
    name: str, folder: Path, learner: Learner, settings: TrainSettings, counted: int, accelerator: Accelerator
) -> TrainSettings:
    """The settings with `freeze_batchnorm`: as they say, else as the run decided that began this training, else by `keeps_statistics`.

    Every process calls it. The learner trains by these settings from then on.
    """
    first = accelerator.is_main_process
    if settings.freeze_batchnorm is None:
        before = read_decided(folder).get("freeze_batchnorm")
        accelerator.wait_for_everyone()  # all have read it before the first process writes
        frozen = keeps_statistics(settings, learner, counted) if before is None else before
        if first and before is None and learner.has_batchnorm:
            keep_decided(folder, "freeze_batchnorm", frozen)
        if first and frozen:
            why = f"new ones would come from {counted} images at a time" if before is None else "as this training began"
            say(f"train {name}: BatchNorm keeps the statistics of its starting weights: {why} (train.freeze_batchnorm=false learns them)")
        accelerator.wait_for_everyone()
        settings = settings.model_copy(update={"freeze_batchnorm": frozen})
        learner.train_by(settings)
    return settings


def few_images(name: str, learner: Learner, counted: int) -> str | None:
    """What to say where statistics are learned from few images all the same, else None. learner: in the state of its first step."""
    if counted >= FEW_IMAGES or not learner.trains_statistics():
        return None
    freeze = "train.freeze_batchnorm=true, or " if learner.begins_trained else ""
    return (
        f"train {name}: BatchNorm has its statistics from {counted} images at a time, which are few: {freeze}a train.batch_size that gives "
        f"{FEW_IMAGES} or more"
    )
