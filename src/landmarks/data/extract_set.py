"""Pictures for extraction: decoded and resized by worker processes, in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from landmarks.config.dataset import MAX_PIXELS
from landmarks.data.buckets import bucket_shape, fit_to_bucket
from landmarks.data.images import read_box, read_reduced
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.lifeline import interrupts_held, start_loader_process

# A JPEG decoded at a reduced size keeps at least this many times the longest side: where the bucket is wider than the picture, the
# picture is scaled past `longest_side` before it is cropped, by less than 1/8 for shorter sides of 128 pixels and more.
_MARGIN = 9 / 8


class Picture(NamedTuple):
    """A picture resized and cropped to its bucket, and the position of its pixels in the upright original.

    pixels       (height, width, 3) uint8 RGB
    factors      (2,) float32: x, y original pixels for one pixel of `pixels`
    offsets      (2,) float32: x, y of its upper left corner in the original, pixels: the border was cropped there
    shorter_side of the original, pixels
    """

    pixels: np.ndarray
    factors: np.ndarray
    offsets: np.ndarray
    shorter_side: int


class ExtractSet(Dataset):
    """One Picture an item.

    A picture that cannot be read is its UserError: the stage decides whether that stops the run.

    folder, split  of the pictures (datasets/images.py); of one with a box, only the box is used
    ids            (n,) strings, in the order of the items
    longest_side   pixels
    max_pixels     of a file's picture; a larger one is not read
    anywhere       whether the pictures may lie outside the dataset
    """

    def __init__(self, folder: Path, split: str, ids: np.ndarray, longest_side: int, max_pixels: int = MAX_PIXELS, anywhere: bool = False):
        self.longest_side, self.max_pixels = longest_side, max_pixels
        pictures = Pictures(folder, split, anywhere)
        # One block of characters, not millions of objects: counting a reference to an object makes a worker copy its memory page.
        self.paths, self.boxes = np.array(pictures.paths(ids), dtype=str), pictures.boxes(ids)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: int) -> Picture | UserError:
        path = Path(str(self.paths[item]))
        try:
            if self.boxes is not None:
                return _boxed(path, self.boxes[item], self.longest_side, self.max_pixels)
            return _read(path, self.longest_side, self.max_pixels)
        except UserError as error:
            return error


AnyImage = str | Path | Image.Image | np.ndarray


def as_picture(image: AnyImage, longest_side: int, max_pixels: int = MAX_PIXELS) -> Picture:
    """A picture file, a PIL image, or pixels (height, width, 3), uint8 or floating point from 0 to 1, ready to be described.

    Raises UserError for a file that cannot be read, and for an array of another shape, type or range.
    """
    if isinstance(image, str | Path):
        return _read(Path(image), longest_side, max_pixels)
    if isinstance(image, Image.Image):
        image = np.asarray(image.convert("RGB"))
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"an image is (height, width, 3), not {image.shape}", next="RGB pixels, a PIL image or a path")
    if np.issubdtype(image.dtype, np.floating):
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise UserError("floating-point pixels are from 0 to 1", next="divide by 255, or give uint8")
        image = np.round(255 * image).astype(np.uint8)
    if image.dtype != np.uint8:
        raise UserError(f"pixels are uint8 or floating point, not {image.dtype}", next="convert the array")
    return _fitted(np.ascontiguousarray(image), 1, longest_side)


def read_ahead(images: ExtractSet, workers: int, batch_size: int) -> Iterator[Picture | UserError]:
    """The items of `images` in order, read by `workers` processes (0: by this one) up to two batches ahead.

    They come as arrays, one by one: torch tensors of worker processes would each need a file descriptor and shared memory, which
    are limited in containers, and are no faster (1.0 ms for 1000 x 672 pixels, measured).
    """
    prefetch = -(-2 * batch_size // workers) if workers else None
    loader = DataLoader(
        images,
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        prefetch_factor=prefetch,
        worker_init_fn=start_loader_process,
    )
    with interrupts_held():
        return iter(loader)


def _read(path: Path, longest_side: int, max_pixels: int) -> Picture:
    image, reduction = read_reduced(path, round(longest_side * _MARGIN), max_pixels)
    return _fitted(image, reduction, longest_side)


def _boxed(path: Path, box: np.ndarray, longest_side: int, max_pixels: int) -> Picture:
    image, corner = read_box(path, box, max_pixels)
    picture = _fitted(image, 1, longest_side)
    return picture._replace(offsets=picture.offsets + np.array(corner, np.float32))


def _fitted(image: np.ndarray, reduction: int, longest_side: int) -> Picture:
    height, width = bucket_shape(image.shape[0], image.shape[1], longest_side)
    # As in resize_to_cover: to the nearest pixel, then cropped evenly.
    zoom = max(height / image.shape[0], width / image.shape[1])
    resized = np.array([max(width, round(image.shape[1] * zoom)), max(height, round(image.shape[0] * zoom))])
    factors = reduction * np.array(image.shape[1::-1]) / resized
    cut = (resized - (width, height)) // 2
    return Picture(
        fit_to_bucket(image, longest_side),
        factors.astype(np.float32),
        (cut * factors).astype(np.float32),
        reduction * min(image.shape[:2]),
    )


def _unchanged(image):
    return image
