"""The order of the training images: a pure function of the seed, so that an interrupted run continues with the next image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landmarks.config import TrainSettings
from landmarks.errors import UserError
from landmarks.seeds import seed_of


def steps_and_part(images: int, settings: TrainSettings, world: int = 1) -> tuple[int, int]:
    """(steps an epoch, images that one process computes at a time).

    A batch is divided into world x settings.accumulate equal parts. The last, incomplete batch of an epoch is left out; with fewer
    images than one batch, the batch is as large as they allow. Raises UserError where the batch does not divide into such parts.
    """
    parts = world * settings.accumulate
    divisor = f"{world} processes x train.accumulate={settings.accumulate}"
    if settings.batch_size % parts:
        raise UserError(
            f"train.batch_size={settings.batch_size} does not divide into {divisor} equal parts",
            where="train.batch_size",
            next=f"train.batch_size={max(2, round(settings.batch_size / parts)) * parts}",
        )
    part = min(settings.batch_size, images) // parts
    if part < 2:  # BatchNorm needs at least two images
        raise UserError(
            f"a batch of {min(settings.batch_size, images)} images leaves {part} for each of {divisor}; 2 are needed",
            where="train.batch_size",
            next="more images, a larger train.batch_size, fewer processes or train.accumulate=1",
        )
    return max(1, images // settings.batch_size), part


def epoch_parts(images: int, settings: TrainSettings, epoch: int, rank: int = 0, world: int = 1, start: int = 0) -> np.ndarray:
    """Rows of the train table in the order that process `rank` of `world` sees them: (steps - start, accumulate, part) int64.

    Every batch holds the same images whatever `world` and settings.accumulate are; `start` skips the first steps of the epoch.
    """
    steps, part = steps_and_part(images, settings, world)
    order = np.random.default_rng(seed_of(settings.seed, "order", epoch)).permutation(images)
    size = part * world * settings.accumulate
    return order[: steps * size].reshape(steps, settings.accumulate, world, part)[start:, :, rank]


class TrainingOrder:
    """The batch sampler of a whole training, from step `start` on: lists of (epoch, row), one a part."""

    def __init__(self, images: int, settings: TrainSettings, rank: int = 0, world: int = 1, start: int = 0):
        self.images, self.settings, self.rank, self.world, self.start = images, settings, rank, world, start
        self.steps_per_epoch, self.part = steps_and_part(images, settings, world)
        self.steps = self.steps_per_epoch * settings.epochs

    def __len__(self) -> int:
        return (self.steps - self.start) * self.settings.accumulate

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self.start // self.steps_per_epoch, self.settings.epochs):
            start = max(0, self.start - epoch * self.steps_per_epoch)
            for step in epoch_parts(self.images, self.settings, epoch, self.rank, self.world, start):
                for rows in step:
                    yield [(epoch, int(row)) for row in rows]
