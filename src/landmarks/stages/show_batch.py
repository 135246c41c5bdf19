"""show-batch: the photos of a training batch beside what the augmentation makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from landmarks.config import Config, TrainSettings
from landmarks.data.aspects import read_shapes
from landmarks.data.images import read_image
from landmarks.data.sampler import Key
from landmarks.data.train_set import SHRUNK, Item, TrainSet
from landmarks.datasets.images import image_path
from landmarks.errors import UserError
from landmarks.gallery.batch_sheet import CELL, SheetRow, draw_sheet
from landmarks.models.checkpoint import build_model
from landmarks.progress import say
from landmarks.store.files import write_jpeg
from landmarks.store.tables import read_train
from landmarks.training.images import images_of
from landmarks.training.validation import hold_out_images

_PHOTOS, _DRAWS = 16, 4  # of a batch; beside what the model is given
_OTHER = 1000  # occurrences of an image that no epoch reaches: other draws


def show_batch(config: Config, step: int, model: str | None = None) -> Path:
    """Write batches/<model>_step<N>.jpg in the run folder, with the first 16 photos of the batch; returns its path.

    step   1, 2, ... of the training
    model  of config.models; None: the first that is trained
    Raises UserError for another model or step, and for a photo that cannot be read.
    """
    name, settings = _trained(config, model)
    path = config.tables_folder / config.dataset.train_table
    table = read_train(path)
    images = images_of(table, table, settings.overfit, path)
    pixels = config.dataset.max_pixels
    images = hold_out_images(name, config.tables_folder, images, settings, pixels)[0]
    shapes = read_shapes(config.tables_folder, images.ids) if settings.aspect_batches else None
    with torch.device("meta"):  # without weights
        sides = build_model(config.models[name].model_copy(update={"pretrained": False})).sides
    smaller = config.run.folder / SHRUNK if settings.shrunk else None
    data = config.tables_folder
    train_set = TrainSet(data, images.ids, images.labels, settings, pixels, shapes=shapes, sides=sides, shrunk=smaller)
    order = train_set.order()
    if not 1 <= step <= order.steps:
        raise UserError(f"no step {step}: the training has {order.steps}", where="--step", next=f"--step {min(max(1, step), order.steps)}")
    keys = next(iter(train_set.order(start=step - 1)))[:_PHOTOS]
    rows = [_row(train_set, key, images.table.landmark_ids[images.rows]) for key in keys]
    height, width = rows[0].made[0].shape[:2]
    title = f"{name}, step {step} of {order.steps}: {settings.augmentation}, {height} x {width}"
    target = config.run.folder / "batches" / f"{name}_step{step}.jpg"
    write_jpeg(target, draw_sheet(title, rows), 90)
    say(f"picture: {target}")
    return target


def _trained(config: Config, model: str | None) -> tuple[str, TrainSettings]:
    names = config.trained_models
    if model is None and names:
        model = names[0]
    if model is None or model not in names:
        what = "the configuration has no model that is trained" if model is None else f"no model '{model}' is trained"
        raise UserError(what, where="models", next=f"one of {', '.join(names)}" if names else "name a configuration with one")
    return model, config.train_of(model)


def _row(train_set: TrainSet, key: Key, landmarks: np.ndarray) -> SheetRow:
    items: list[Item] = []
    for draw in range(1 + _DRAWS):
        item = train_set[key if draw == 0 else key._replace(repeat=key.repeat + draw * _OTHER)]
        if isinstance(item, UserError):
            raise item
        items.append(item)
    row = items[0].row
    id = str(train_set.ids[row])
    photo = read_image(image_path(train_set.folder, "train", id), CELL, train_set.max_pixels)
    instead = f", in the place of {train_set.ids[key.row]}, which cannot be read" if row != key.row else ""
    made = [np.ascontiguousarray(item.image.permute(1, 2, 0).numpy()) for item in items]
    return SheetRow(photo, made, f"{id}, landmark {landmarks[row]}, {photo.shape[1] / photo.shape[0]:.2f}:1{instead}")
