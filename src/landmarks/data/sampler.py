"""The order of the training images: a pure function of the seed, so that an interrupted run continues with the next image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from landmarks.config import TrainSettings
from landmarks.data.aspects import SQUARE, batches_of_one_shape
from landmarks.data.draws import draw_epoch, epoch_length, occurrences
from landmarks.errors import UserError
from landmarks.seeds import seed_of


class Key(NamedTuple):
    """What is asked of the training set: an image of an epoch, which of its occurrences in it, and the shape of its batch."""

    epoch: int
    row: int
    repeat: int = 0
    shape: int = SQUARE


def steps_and_part(images: int, settings: TrainSettings, world: int = 1) -> tuple[int, int]:
    """(steps an epoch, images that one process computes at a time).

    A batch is divided into world x settings.parts equal parts. The last, incomplete batch of an epoch is left out; with fewer
    images than one batch, the batch is as large as they allow. Raises UserError where the batch does not divide into such parts.

    images  that an epoch draws (`epoch_length`)
    """
    parts = world * settings.parts
    divisor = f"{world} processes x train.accumulate={settings.parts}"
    if settings.batch_size % parts:
        raise UserError(
            f"train.batch_size={settings.batch_size} does not divide into {divisor} equal parts",
            where="train.batch_size",
            next=f"train.batch_size={max(2, round(settings.batch_size / parts)) * parts}",
        )
    part = min(settings.batch_size, images) // parts
    if settings.sampler == "pairs" and part * parts % 2:
        part -= 1  # a batch of whole pairs
    if part < 2:  # BatchNorm needs at least two images
        raise UserError(
            f"a batch of {min(settings.batch_size, images)} images leaves {part} for each of {divisor}; 2 are needed",
            where="train.batch_size",
            next="more images, a larger train.batch_size, fewer processes or train.accumulate=1",
        )
    return max(1, images // settings.batch_size), part


class Epoch(NamedTuple):
    """The images of an epoch: rows of the train table and which occurrence each is, (steps, batch) int64; the shape of each step."""

    rows: np.ndarray
    repeats: np.ndarray
    shapes: np.ndarray


def plan_epoch(labels: np.ndarray, settings: TrainSettings, epoch: int, steps: int, batch: int, shapes: np.ndarray | None = None) -> Epoch:
    """All batches of an epoch, the same in every process.

    labels  (n,) int64
    shapes  (n,) int8 of each image (data/aspects.py), for batches of one shape; None: all are square
    """
    rows = draw_epoch(labels, settings.sampler, np.random.default_rng(seed_of(settings.seed, "order", epoch)))
    repeats = occurrences(rows)
    if shapes is None:
        positions, of_step = np.arange(steps * batch).reshape(steps, batch), np.full(steps, SQUARE, np.int8)
    else:
        positions, of_step = batches_of_one_shape(shapes[rows], batch, 2 if settings.sampler == "pairs" else 1)
    return Epoch(rows[positions], repeats[positions], of_step)


class TrainingOrder:
    """The batch sampler of a whole training, from step `start` on: lists of Keys, one a part.

    Every batch holds the same images whatever `world` and settings.parts are; each process has its own share of them.
    """

    def __init__(
        self,
        labels: np.ndarray,
        settings: TrainSettings,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
        shapes: np.ndarray | None = None,
    ):
        self.labels, self.settings, self.rank, self.world, self.start, self.shapes = labels, settings, rank, world, start, shapes
        self.steps_per_epoch, self.part = steps_and_part(epoch_length(labels, settings.sampler), settings, world)
        self.steps = self.steps_per_epoch * settings.epochs

    def __len__(self) -> int:
        return (self.steps - self.start) * self.settings.parts

    def __iter__(self) -> Iterator[list[Key]]:
        for epoch in range(self.start // self.steps_per_epoch, self.settings.epochs):
            start = max(0, self.start - epoch * self.steps_per_epoch)
            for step in self._steps(epoch, start):
                yield from step

    def rows_of(self, step: int, processes: Iterable[int]) -> list[int]:
        """The rows that these processes, 0, 1, ..., compute in a step of the training, 0, 1, ..."""
        epoch, place = divmod(step, self.steps_per_epoch)
        rows = self._plan(epoch).rows.reshape(self._cut)[place]
        return [row for process in processes for row in rows[:, process].ravel().tolist()]

    @property
    def _cut(self) -> tuple[int, int, int, int]:
        """The shape of an epoch's images: steps, parts of a process, processes, images."""
        return self.steps_per_epoch, self.settings.parts, self.world, self.part

    def _plan(self, epoch: int) -> Epoch:
        batch = self.part * self.world * self.settings.parts
        return plan_epoch(self.labels, self.settings, epoch, self.steps_per_epoch, batch, self.shapes)

    def _steps(self, epoch: int, start: int) -> Iterator[list[list[Key]]]:
        plan = self._plan(epoch)
        rows, repeats = plan.rows.reshape(self._cut)[:, :, self.rank], plan.repeats.reshape(self._cut)[:, :, self.rank]
        for step in range(start, self.steps_per_epoch):
            shape = int(plan.shapes[step])
            yield [
                [Key(epoch, row, repeat, shape) for row, repeat in zip(rows[step, n].tolist(), repeats[step, n].tolist(), strict=True)]
                for n in range(self.settings.parts)
            ]
