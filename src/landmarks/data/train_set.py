"""Training images as tensors, decoded and augmented in the loader's processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from landmarks.config import TrainSettings
from landmarks.config.dataset import MAX_PIXELS
from landmarks.data.ahead import TRAINING, training_waits
from landmarks.data.aspects import crop_shapes, shapes_of
from landmarks.data.augment import Augmentation
from landmarks.data.hand_over import handed_over, is_shared_memory_enough, started
from landmarks.data.images import read_image
from landmarks.data.sampler import Key, TrainingOrder
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.lifeline import start_loader_process
from landmarks.machine import loader_workers
from landmarks.ops import area, colours
from landmarks.ops.sides import ANY, Sides
from landmarks.seeds import seed_of

SHRUNK = "shrunk"  # the folder of a run with smaller copies of the training pictures
_TRIES = 8  # images in the place of one that cannot be read; as many again of other landmarks
_REMOVED = "its row was removed from the table after the training had begun"


class Item(NamedTuple):
    """image (3, h, w) uint8 RGB; its row in the table; skipped: row -> why it could not be read, of those it stands for."""

    image: torch.Tensor
    row: int
    skipped: dict[int, str]


class Batch(NamedTuple):
    """What the learner is given, as tensors.

    images   (n, 3, h, w) uint8 RGB in channels-last memory
    labels   (n,) int64
    weights  (n,) float32 of their losses; None: all are 1
    skipped  row -> why, of the images that could not be read; others of the batch stand in their places
    """

    images: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None
    skipped: dict[int, str]


def side_needed(settings: TrainSettings) -> int:
    """Pixels of the longest side that every crop of the training has enough of, whatever sides near these the network takes."""
    shapes = [shape for size in set(settings.sizes) for shape in crop_shapes(size, settings.aspect_batches)]
    least = max(Augmentation(settings.augmentation, shape, settings.crop_scale, settings.seed).min_side for shape in shapes)
    return 32 * (least // 32 + 2)


class TrainSet(Dataset):
    """Key -> Item; the size may grow with the epochs.

    folder      of the dataset
    ids         (n,) strings
    labels      (n,) int64, dense: 0..classes-1
    max_pixels  of a file's picture; a larger one is not read
    shapes      (n,) int8, which of the five shapes is each image's (data/aspects.py), for batches of one shape; None: all are square
    weights     (n,) float32 of the images' losses; None: all are 1
    removed     (n,) whether the image is no longer in the table: it is treated as one that cannot be read
    sides       that the model takes: every shape is the nearest that it does
    shrunk      a folder with smaller copies of most pictures, laid out as the dataset's; None: there are none
    """

    def __init__(
        self,
        folder: Path,
        ids: np.ndarray,
        labels: np.ndarray,
        settings: TrainSettings,
        max_pixels: int = MAX_PIXELS,
        *,
        shapes: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        removed: np.ndarray | None = None,
        sides: Sides = ANY,
        shrunk: Path | None = None,
    ):
        self.shrunk = shrunk
        self.max_pixels = max_pixels
        # Fixed-width text: counting references to millions of Python strings would make each worker process copy them.
        self.folder, self.ids, self.labels = folder, ids.astype(np.str_), labels
        self.shapes, self.weights, self.removed, self.settings = shapes, weights, removed, settings
        self.augmentations = {
            size: [
                Augmentation(settings.augmentation, sides.nearest(*shape), settings.crop_scale, settings.seed) for shape in shapes_of(size)
            ]
            for size in set(settings.sizes)
        }

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: Key) -> Item | UserError:
        """An unreadable image gives the UserError instead of raising it: the loader would wrap it in two tracebacks.

        With settings.on_error = skip another image stands in its place: of its landmark, or else of any, the same ones each time.
        """
        first = self._read(key)
        if isinstance(first, torch.Tensor):
            return Item(first, key.row, {})
        error, skipped = first, {key.row: first.what}
        if self.settings.on_error == "skip" or self._is_removed(key.row):
            for row in self._others(key):
                image = self._read(key._replace(row=row))
                if isinstance(image, torch.Tensor):
                    return Item(image, row, skipped)
                skipped[row] = image.what
            return UserError(
                f"{len(skipped)} images one after the other cannot be read, the first: {error.what}", where=error.where, next=error.next
            )
        return UserError(error.what, where=error.where, next=f"{error.next}, or train.on_error=skip; the same command then goes on")

    def order(self, rank: int = 0, world: int = 1, start: int = 0, *, parts: int | None = None) -> TrainingOrder:
        """The batches of the whole training from step `start` on, those of process `rank` of `world`.

        parts  of its share of a batch; None: as the settings say
        """
        settings = self.settings if parts is None else self.settings.model_copy(update={"accumulate": parts})
        return TrainingOrder(self.labels, settings, rank, world, start, self.shapes)

    def _read(self, key: Key) -> torch.Tensor | UserError:
        id = str(self.ids[key.row])
        augmentation = self.augmentations[self.settings.size_in(key.epoch)][key.shape]
        path = image_path(self.folder, "train", id)
        if self._is_removed(key.row):
            return UserError(_REMOVED, where=path, next="put it back")
        draw = augmentation.draw(key.epoch, id, key.repeat)
        smaller = None if self.shrunk is None else image_path(self.shrunk, "train", id)
        try:
            image = read_image(smaller if smaller is not None and smaller.exists() else path, draw.min_side, self.max_pixels)
        except UserError as error:
            return error
        return torch.from_numpy(draw(image)).permute(2, 0, 1)

    def _is_removed(self, row: int) -> bool:
        return self.removed is not None and bool(self.removed[row])

    def _others(self, key: Key) -> list[int]:
        """Rows for the place of one that cannot be read: others of its landmark, then any."""
        random = np.random.default_rng(seed_of(self.settings.seed, "place of", key.epoch, self.ids[key.row], key.repeat))
        alike = np.flatnonzero(self.labels == self.labels[key.row])
        alike = random.permutation(alike[alike != key.row])[:_TRIES]
        return [*alike.tolist(), *random.integers(0, len(self.ids), _TRIES).tolist()]

    def collate(self, items: list[Item | UserError]) -> Batch | UserError:
        """The items as a batch; or the first error among them."""
        read: list[Item] = []
        for item in items:
            if isinstance(item, UserError):
                return item
            read.append(item)
        images = torch.stack([item.image.permute(1, 2, 0) for item in read]).permute(0, 3, 1, 2)
        rows = np.array([item.row for item in read])
        weights = None if self.weights is None else torch.from_numpy(self.weights[rows])
        skipped = {row: why for item in read for row, why in item.skipped.items()}
        return Batch(images, torch.from_numpy(self.labels[rows]), weights, skipped)

    def hand_over(self, items: list[Item | UserError], shared: bool) -> tuple | UserError:
        """As `collate`, images as (n, h, w, 3); each a tensor or an array, as `handed_over` does."""
        batch = self.collate(items)
        if isinstance(batch, UserError):
            return batch
        weights = None if batch.weights is None else handed_over(batch.weights, shared)
        return handed_over(batch.images.permute(0, 2, 3, 1), shared), handed_over(batch.labels, shared), weights, batch.skipped

    @property
    def image_bytes(self) -> int:
        """Of an image at the largest size."""
        return 3 * max(math.prod(augmentation.shape) for shapes in self.augmentations.values() for augmentation in shapes)


def load_batches(train_set: TrainSet, order: Iterable[list[Key]], part: int, workers: int | None, device: torch.device) -> Iterator[Batch]:
    """The batches in the given order, on the CPU, each prepared before it is asked for; the processes that do it are started at once.

    part     images of a batch, at most
    workers  how many processes; None: as `loader_workers` says for the device
    `next` raises UserError for an image that cannot be read, unless the training set puts another in its place.
    """
    area.load_kernels()
    colours.load_kernel()
    on_gpu = device.type == "cuda"
    count = loader_workers(workers, on_gpu=on_gpu)
    shared = count == 0 or is_shared_memory_enough(training_waits(part, train_set.image_bytes, count))

    def loader(processes: int) -> DataLoader[tuple | UserError]:
        return DataLoader(
            train_set,
            batch_sampler=order,
            num_workers=processes,
            collate_fn=partial(train_set.hand_over, shared=shared),
            pin_memory=on_gpu,  # the copy to the GPU is faster
            prefetch_factor=TRAINING if processes else None,
            worker_init_fn=start_loader_process,
        )

    return map(_as_batch, started(loader, count))


def _as_batch(loaded: tuple | UserError) -> Batch:
    """What `collate` makes, of what `hand_over` made."""
    if isinstance(loaded, UserError):
        raise loaded
    images, labels, weights, skipped = loaded
    weights = None if weights is None else torch.as_tensor(weights)
    return Batch(torch.as_tensor(images).permute(0, 3, 1, 2), torch.as_tensor(labels), weights, skipped)
