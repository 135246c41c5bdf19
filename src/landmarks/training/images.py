"""The images that a training has: those of the table it began with, also after rows of damaged ones are removed from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.config import TrainSettings
from landmarks.data.aspects import SQUARE, read_shapes
from landmarks.data.weights import image_weights
from landmarks.errors import UserError
from landmarks.store.artefact import RECIPE
from landmarks.store.csv_files import read_csv, write_csv
from landmarks.store.manifest import read_manifest_file
from landmarks.store.tables import TrainTable, positions, read_train

BEGUN = "begun.csv"  # id,landmark_id,shape: the table as the unfinished training in the folder began with it


@dataclass(frozen=True)
class TrainingImages:
    """The table's rows, and which of them are trained on.

    table      as the training began with it
    rows       (n,) int64 of the table: all, or the few of train.overfit
    labels     (n,) int64, dense: 0..classes-1
    counts     (classes,) images of each landmark in the whole table
    removed    (n,) bool, whether the image has been removed from the table since
    """

    table: TrainTable
    rows: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    removed: np.ndarray

    @property
    def ids(self) -> np.ndarray:
        return self.table.ids[self.rows]

    @property
    def landmarks(self) -> np.ndarray:
        """The landmark of each class: (classes,) int64."""
        return np.unique(self.table.landmark_ids)

    @property
    def classes(self) -> int:
        return len(self.counts)

    def only(self, places: np.ndarray) -> TrainingImages:
        """Some of the images that are trained on: (m,) integers 0..n-1, or (n,) bool."""
        return replace(self, rows=self.rows[places], labels=self.labels[places], removed=self.removed[places])


def training_images(path: Path, folder: Path, recipe: dict[str, Any], overfit: int) -> tuple[TrainingImages, bool]:
    """The images of the table `path`, `overfit` of them where that is not 0; and whether an unfinished training in `folder` goes on.

    An unfinished training goes on with the table that it began with where its recipe is this one and the table is the same, or lacks
    some rows since then: the order of the others stays.

    Raises UserError for a table with less than two landmarks.
    """
    now = read_train(path)
    begun = _begun(folder, recipe, path.name, now)
    return images_of(begun or now, now, overfit, path), begun is not None


def weights_of(images: TrainingImages, folder: Path, settings: TrainSettings) -> np.ndarray | None:
    """What each image counts in the loss, (n,) float32; None where all count the same. folder: of the tables."""
    clean = settings.clean_table
    is_clean = positions(images.ids, read_train(folder / clean).ids) >= 0 if clean else None
    return image_weights(images.labels, settings.class_weight, is_clean, settings.unclean_weight)


def images_of(table: TrainTable, now: TrainTable, overfit: int, path: Path) -> TrainingImages:
    """The images of `table`, `overfit` of them where that is not 0; those that `now`, the file `path`, lacks are removed.

    Raises UserError for a table with less than two landmarks.
    """
    landmarks, labels, counts = np.unique(table.landmark_ids, return_inverse=True, return_counts=True)
    if len(landmarks) < 2:
        raise UserError(
            f"{len(landmarks)} landmarks to tell apart: training needs at least 2",
            where=path,
            next="complete the table, or train.epochs=0 to use the starting weights",
        )
    rows = np.arange(len(labels))
    if overfit:  # at equal distances: tables are often sorted by landmark, and the first rows would all show one
        count = min(overfit, len(labels))
        rows = np.arange(count) * len(labels) // count
    removed = np.zeros(len(rows), bool) if table is now else positions(table.ids[rows], now.ids) < 0
    return TrainingImages(table, rows, labels[rows], counts, removed)


def write_begun(folder: Path, dataset: Path, images: TrainingImages, *, with_shapes: bool) -> None:
    """Keep the table in the model's folder, with the shape of each picture that is trained on where batches are to have one shape."""
    shapes = np.full(len(images.table.ids), SQUARE, np.int8)
    if with_shapes:
        shapes[images.rows] = read_shapes(dataset, images.ids)
    frame = pd.DataFrame({"id": images.table.ids, "landmark_id": images.table.landmark_ids, "shape": shapes})
    write_csv(folder / BEGUN, frame)


def read_begun_shapes(folder: Path, rows: np.ndarray) -> np.ndarray:
    """The shapes that `write_begun` kept: (n,) int8."""
    return np.array(read_csv(folder / BEGUN, ["shape"])["shape"].to_pylist(), np.int8)[rows]


def _begun(folder: Path, recipe: dict[str, Any], table: str, now: TrainTable) -> TrainTable | None:
    """The table that the unfinished training of this recipe began with; None without one, and where rows were added or changed."""
    if not (folder / BEGUN).is_file():
        return None
    earlier = read_manifest_file(folder / RECIPE, complete=False)
    if earlier is None or _without(earlier, table) != _without(recipe, table):
        return None
    begun = read_train(folder / BEGUN)
    rows = positions(now.ids, begun.ids)
    return begun if (rows >= 0).all() and (begun.landmark_ids[rows] == now.landmark_ids).all() else None


def _without(recipe: dict[str, Any], table: str) -> dict[str, Any]:
    return {**recipe, "inputs": {name: fingerprint for name, fingerprint in recipe["inputs"].items() if name != table}}
