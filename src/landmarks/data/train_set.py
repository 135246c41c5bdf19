"""Training images as tensors, decoded and augmented in the loader's processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from landmarks.config import TrainSettings
from landmarks.config.dataset import MAX_PIXELS
from landmarks.data.augment import Augmentation
from landmarks.data.images import read_image
from landmarks.data.sampler import TrainingOrder
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.lifeline import start_loader_process
from landmarks.machine import has_shared_memory


class TrainSet(Dataset):
    """(epoch, row) -> (image (3, size, size) uint8 RGB, label); the size may grow with the epochs.

    folder  of the dataset
    ids     (n,) strings
    labels  (n,) int64, dense: 0..classes-1
    max_pixels  of a file's picture; a larger one is not read
    """

    def __init__(self, folder: Path, ids: np.ndarray, labels: np.ndarray, settings: TrainSettings, max_pixels: int = MAX_PIXELS):
        self.max_pixels = max_pixels
        # Fixed-width text: counting references to millions of Python strings would make each worker process copy them.
        self.folder, self.ids, self.labels = folder, ids.astype(np.str_), labels
        self.size_in = settings.size_in
        self.augmentations = {
            size: Augmentation(settings.augmentation, size, settings.crop_scale, settings.seed) for size in set(settings.sizes)
        }

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int] | UserError:
        """An unreadable image gives the UserError instead of raising it: the loader would wrap it in two tracebacks."""
        epoch, row = key
        id, augmentation = str(self.ids[row]), self.augmentations[self.size_in(epoch)]
        try:
            image = read_image(image_path(self.folder, "train", id), augmentation.min_side, self.max_pixels)
        except UserError as error:
            return error
        image = np.ascontiguousarray(augmentation(image, epoch, id))
        return torch.from_numpy(image).permute(2, 0, 1), int(self.labels[row])


def collate(items: list) -> tuple[torch.Tensor, torch.Tensor] | UserError:
    """A batch: images (n, 3, h, w) uint8 in channels-last memory, labels (n,) int64; or the first error among them."""
    for item in items:
        if isinstance(item, UserError):
            return item
    images = torch.stack([image.permute(1, 2, 0) for image, _ in items]).permute(0, 3, 1, 2)
    return images, torch.tensor([label for _, label in items])


def collate_arrays(items: list) -> tuple[np.ndarray, np.ndarray] | UserError:
    """As `collate`, images (n, h, w, 3) and labels as arrays: they come through a pipe, where tensors come through shared memory."""
    batch = collate(items)
    return batch if isinstance(batch, UserError) else (batch[0].permute(0, 2, 3, 1).numpy(), batch[1].numpy())


def as_tensors(batch: tuple) -> tuple[torch.Tensor, torch.Tensor]:
    """What `collate` makes, also of what `collate_arrays` made."""
    images, labels = batch
    if isinstance(images, np.ndarray):
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    return images, labels


def create_loader(train_set: TrainSet, order: TrainingOrder, workers: int, pinned: bool) -> DataLoader:
    """Batches in the given order, for `as_tensors`, prepared by `workers` processes; `pinned` memory makes the copy to a GPU faster."""
    return DataLoader(
        train_set,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=collate if has_shared_memory() or not workers else collate_arrays,
        pin_memory=pinned,
        prefetch_factor=4 if workers else None,
        worker_init_fn=start_loader_process,
    )
