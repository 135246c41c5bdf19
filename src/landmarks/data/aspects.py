"""Batches of one aspect ratio (Yokoo et al., section 2): five shapes, and which of them a picture is nearest to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from landmarks.data.images import upright_size
from landmarks.datasets.images import image_path
from landmarks.lifeline import cancelled_on_error, interrupts_held
from landmarks.progress import progress

SQUARE = 2  # the place of the square among the five shapes
_LIMITS = (0.67, 0.77, 1.33, 1.5)  # height / width at which the next shape begins, as in the authors' code
# Height and width of the two widest shapes for a square of this side, as in the authors' code; the tall ones are these turned.
_PUBLISHED = {
    384: ((320, 480), (352, 480)),
    448: ((352, 512), (384, 512)),
    608: ((512, 736), (544, 704)),
    704: ((544, 800), (608, 800)),
}


def shapes_of(side: int) -> tuple[tuple[int, int], ...]:
    """The five (height, width), from wide to tall, of batches whose square has this side; the third is the square.

    The published ones for the sides that the authors used; for others those of 448 pixels, scaled, to multiples of 8. A network that
    takes some sides alone is given the nearest of those (`TrainSet`).
    """
    wide = _PUBLISHED.get(side) or tuple((_scaled(side, height), _scaled(side, width)) for height, width in _PUBLISHED[448])
    return (*wide, (side, side), *((width, height) for height, width in reversed(wide)))


def crop_shapes(side: int, aspect_batches: bool) -> tuple[tuple[int, int], ...]:
    """The (height, width) of the crops of a training at this size: all of `shapes_of`, or the square alone."""
    return shapes_of(side) if aspect_batches else ((side, side),)


def nearest_shape(heights: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The shape of `shapes_of` for pictures of these sizes: (n,) int8."""
    return np.digitize(np.asarray(heights) / np.asarray(widths), _LIMITS).astype(np.int8)


def read_shapes(folder: Path, ids: np.ndarray) -> np.ndarray:
    """The shape for each training picture, from its file's header and EXIF orientation: (n,) int8.

    One that cannot be read counts as square: it is reported when its pixels are read.
    """
    with cancelled_on_error(ThreadPoolExecutor(max(4, os.cpu_count() or 1))) as threads:
        with interrupts_held():
            sizes: Iterator[tuple[int, int]] = threads.map(lambda id: upright_size(image_path(folder, "train", str(id))) or (1, 1), ids)
        heights, widths = np.array(list(progress(sizes, "sizes of the train images", "image", total=len(ids)))).reshape(-1, 2).T
    return nearest_shape(heights, widths)


def batches_of_one_shape(shapes: np.ndarray, batch: int, unit: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Cut an epoch into batches of one shape: positions in the epoch, (steps, batch) int64, and the shape of each step, (steps,) int8.

    Every batch takes the next images of its shape. What is left of each shape, less than a batch, is joined to batches of the shape
    that most of their images have: where the authors leave these images out, here every epoch has as many steps as without shapes.
    The batches come in the order of their first images.

    shapes  (n,) of the images in the order of the epoch
    unit    images that stay together and have the shape of the first of them; it divides n and `batch`
    """
    own = shapes[::unit]
    units = batch // unit
    by_shape = [np.flatnonzero(own == shape) for shape in range(len(_LIMITS) + 1)]
    whole = [group[: len(group) // units * units].reshape(-1, units) for group in by_shape]
    rest = np.concatenate([group[len(group) // units * units :] for group in by_shape])
    batches = np.concatenate([*whole, rest[: len(rest) // units * units].reshape(-1, units)])
    batches = batches[np.argsort(batches.min(axis=1), kind="stable")]
    counts = np.stack([(own[batches] == shape).sum(axis=1) for shape in range(len(_LIMITS) + 1)], axis=1)
    positions = (batches[:, :, None] * unit + np.arange(unit)).reshape(len(batches), batch)
    return positions, counts.argmax(axis=1).astype(np.int8)


def _scaled(side: int, of_448: int) -> int:
    return max(1, round(side * of_448 / 448 / 8)) * 8
