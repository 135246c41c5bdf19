"""Validation while training: mAP@100 of held-out training images among the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.cuda import is_out_of_memory
from landmarks.data.sampler import Key
from landmarks.data.train_set import TrainSet, load_batches
from landmarks.metrics.google_landmarks import average_precision
from landmarks.ops.knn import exact_knn
from landmarks.progress import progress
from landmarks.training.held_out import HeldOut, hold_out
from landmarks.training.images import TrainingImages
from landmarks.training.learner import Learner
from landmarks.training.skipped import SkippedImages

AT = 100


class Validation:
    """The held-out images and those they are searched in, at the size of the epoch, the middle of each without augmentation.

    skipped  takes note of those that cannot be read, by their place in `ids`, and for which others stand in; set by who begins the training
    """

    skipped: SkippedImages | None = None

    def __init__(self, name: str, folder: Path, images: TrainingImages, held: HeldOut, settings: TrainSettings, max_pixels: int):
        self._name, self._settings, self._together = name, settings, settings.batch_size
        rows = np.union1d(held.queries, held.gallery)
        self._queries, self._gallery = np.searchsorted(rows, held.queries), np.searchsorted(rows, held.gallery)
        self._folder, self._images, self._max_pixels = folder, images.only(rows), max_pixels

    @property
    def ids(self) -> np.ndarray:
        """Of the held-out images and those they are searched in: (n,) strings."""
        return self._images.ids

    def measure(self, learner: Learner, epoch: int, accelerator: Accelerator, parts: int) -> float:
        """mAP@100, 0 to 1, the same in every process; the learner then is in training mode. To be called by every process.

        parts  that a batch of the training is computed in: as many images fit the memory here
        Raises UserError for an unreadable image, as the settings say.
        """
        descriptors, labels = self._describe(learner, epoch, accelerator, parts)
        return mean_average_precision(descriptors, labels, self._queries, self._gallery)

    def _describe(self, learner: Learner, epoch: int, accelerator: Accelerator, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """Descriptors (n, dimensions) float32 and labels (n,) of the images in their order; each process computes its share."""
        world, rank, device = accelerator.num_processes, accelerator.process_index, accelerator.device
        images, plain = self._images, self._settings.model_copy(update={"augmentation": "none", "aspect_batches": False})
        removed = images.removed if images.removed.any() else None
        pictures = TrainSet(self._folder, images.ids, images.labels, plain, self._max_pixels, removed=removed, sides=learner.model.sides)
        count = -(-len(pictures) // world)
        mine = np.resize(np.arange(len(pictures)), count * world)[rank::world]  # the first ones again where it does not divide
        batch = max(1, self._settings.batch_size // (world * parts))
        batches = [[Key(epoch, int(row)) for row in mine[start : start + batch]] for start in range(0, count, batch)]
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        learner.eval()
        loaded = load_batches(pictures, batches, batch, self._settings.workers, device)
        with progress(None, f"validate {self._name}", "image", total=count * world, hidden=rank > 0) as bar:
            for batched, labels, _, unread in loaded:
                if self.skipped is not None:
                    self.skipped.add(unread)
                with torch.no_grad(), accelerator.autocast():
                    described = self._described(learner, batched.to(device, non_blocking=True))
                found.append((described, labels.to(device)))
                bar.update(len(batched) * world)
        learner.train()
        columns = [accelerator.gather(torch.cat(tensors)) for tensors in zip(*found, strict=True)]
        # Process after process -> image after image, without those that were computed twice.
        ordered = [column.unflatten(0, (world, count)).transpose(0, 1).flatten(0, 1)[: len(pictures)] for column in columns]
        return ordered[0].cpu().numpy(), ordered[1].cpu().numpy()

    def _described(self, learner: Learner, images: torch.Tensor) -> torch.Tensor:
        """In parts that fit the memory, which another program may have taken since the training began."""
        try:
            return torch.cat([learner.model(part).float() for part in images.split(self._together)])
        except RuntimeError as error:
            together = min(self._together, len(images))
            if not is_out_of_memory(error) or together == 1:
                raise
        if images.device.type == "cuda":
            torch.cuda.empty_cache()
        self._together = together // 2
        return self._described(learner, images)


def hold_out_images(
    name: str, folder: Path, images: TrainingImages, settings: TrainSettings, max_pixels: int
) -> tuple[TrainingImages, Validation | None]:
    """What is trained on, and the held-out images, if any."""
    if not settings.validation_images:
        return images, None
    by_landmark = settings.validation == "landmarks"
    held = hold_out(images.labels, settings.validation_images, settings.validation_gallery, landmarks=by_landmark, seed=settings.seed)
    return images.only(held.training), Validation(name, folder, images, held, settings, max_pixels)


def mean_average_precision(descriptors: np.ndarray, labels: np.ndarray, queries: np.ndarray, gallery: np.ndarray) -> float:
    """mAP@100 of the queries' nearest neighbours in the gallery; images of the same label are true, a query itself is left out.

    descriptors       (n, d) float32, rows of length 1
    labels            (n,) integers
    queries, gallery  rows of both
    Queries without a true image in the gallery do not count; NaN where none counts.
    """
    found, _ = exact_knn(descriptors[queries], descriptors[gallery], AT + 1)
    itself = np.where(np.isin(queries, gallery), np.searchsorted(gallery, queries), -2)  # the gallery is in ascending order
    behind = np.argsort(found == itself[:, None], axis=1, kind="stable")  # the query itself goes to the end
    found = np.take_along_axis(found, behind, axis=1)[:, :AT]
    truth = [np.flatnonzero((labels[gallery] == labels[query]) & (gallery != query)) for query in queries]
    offsets = np.cumsum([0, *map(len, truth)])
    precisions = average_precision(found, np.concatenate(truth), offsets, AT)
    return float(np.nanmean(precisions)) if not np.isnan(precisions).all() else float("nan")
