"""Pictures for extraction: decoded, resized and stacked into batches of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from landmarks.config.dataset import MAX_PIXELS
from landmarks.data.buckets import bucket_shape, fit_to_bucket
from landmarks.data.images import read_box, read_reduced, upright_size
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.ops.sides import ANY, Sides

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


class Batch(NamedTuple):
    """Pictures of one shape; rows as in `Picture`.

    positions      (n,) int64, of the pictures in their set
    pixels         (n, height, width, 3) uint8
    factors        (n, 2) float32
    offsets        (n, 2) float32
    shorter_sides  (n,) int64
    """

    positions: np.ndarray
    pixels: torch.Tensor
    factors: np.ndarray
    offsets: np.ndarray
    shorter_sides: np.ndarray

    def part(self, rows: slice) -> Batch:
        return Batch(self.positions[rows], self.pixels[rows], self.factors[rows], self.offsets[rows], self.shorter_sides[rows])

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.pixels.shape[1:3]
        return height, width


class Loaded(NamedTuple):
    """What one request gave: usually one batch; more where a picture has another shape than its header says.

    errors  of the pictures that cannot be read, with their positions
    """

    batches: list[Batch]
    errors: list[tuple[int, UserError]]


def stacked(pictures: Sequence[tuple[int, Picture]]) -> list[Batch]:
    """Pictures with their positions, one batch for each shape."""
    groups: dict[tuple[int, ...], list[tuple[int, Picture]]] = {}
    for item in pictures:
        groups.setdefault(item[1].pixels.shape, []).append(item)
    return [
        Batch(
            np.array([position for position, _ in group], np.int64),
            torch.from_numpy(np.stack([picture.pixels for _, picture in group])),
            np.stack([picture.factors for _, picture in group]),
            np.stack([picture.offsets for _, picture in group]),
            np.array([picture.shorter_side for _, picture in group], np.int64),
        )
        for group in groups.values()
    ]


class ExtractSet(Dataset):
    """A list of positions -> `Loaded`: the pictures are stacked where they are decoded, and handed over once.

    A picture that cannot be read is its UserError: the stage decides whether that stops the run.

    folder, split  of the pictures (datasets/images.py); of one with a box, only the box is used
    ids            (n,) strings, in the order of the positions
    longest_side   pixels, or the nearest that `sides` takes
    max_pixels     of a file's picture; a larger one is not read
    anywhere       whether the pictures may lie outside the dataset
    sides          that the model takes
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        ids: np.ndarray,
        longest_side: int,
        max_pixels: int = MAX_PIXELS,
        anywhere: bool = False,
        sides: Sides = ANY,
    ):
        self.longest_side, self.max_pixels, self.sides = longest_side, max_pixels, sides
        pictures = Pictures(folder, split, anywhere)
        # One block of characters, not millions of objects: counting a reference to an object makes a worker copy its memory page.
        self.paths, self.boxes = np.array(pictures.paths(ids), dtype=str), pictures.boxes(ids)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, positions: Sequence[int]) -> Loaded:
        items = [(position, self.read(position)) for position in positions]
        errors = [(position, item) for position, item in items if isinstance(item, UserError)]
        return Loaded(stacked([(position, item) for position, item in items if isinstance(item, Picture)]), errors)

    def read(self, position: int) -> Picture | UserError:
        path = Path(str(self.paths[position]))
        try:
            if self.boxes is not None:
                return _boxed(path, self.boxes[position], self.longest_side, self.max_pixels, self.sides)
            return _read(path, self.longest_side, self.max_pixels, self.sides)
        except UserError as error:
            return error

    def shape(self, position: int) -> tuple[int, int] | None:
        """The height and width that the picture will have, from its header alone; None where it cannot be read."""
        size = upright_size(Path(str(self.paths[position])))
        if size is None or self.boxes is None:
            return None if size is None else bucket_shape(*size, self.longest_side, self.sides)
        left, top, right, bottom = np.clip(np.round(self.boxes[position]), 0, [size[1], size[0]] * 2).astype(int).tolist()
        return bucket_shape(bottom - top, right - left, self.longest_side, self.sides) if right > left and bottom > top else None


AnyImage = str | Path | Image.Image | np.ndarray


def as_picture(image: AnyImage, longest_side: int, max_pixels: int = MAX_PIXELS, sides: Sides = ANY) -> Picture:
    """A picture file, a PIL image, or pixels (height, width, 3), uint8 or floating point from 0 to 1, ready to be described.

    Raises UserError for a file that cannot be read, and for an array of another shape, type or range.
    """
    if isinstance(image, str | Path):
        return _read(Path(image), longest_side, max_pixels, sides)
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
    return _fitted(np.ascontiguousarray(image), 1, longest_side, sides)


def _read(path: Path, longest_side: int, max_pixels: int, sides: Sides) -> Picture:
    image, reduction = read_reduced(path, round(longest_side * _MARGIN), max_pixels)
    return _fitted(image, reduction, longest_side, sides)


def _boxed(path: Path, box: np.ndarray, longest_side: int, max_pixels: int, sides: Sides) -> Picture:
    image, corner = read_box(path, box, max_pixels)
    picture = _fitted(image, 1, longest_side, sides)
    return picture._replace(offsets=picture.offsets + np.array(corner, np.float32))


def _fitted(image: np.ndarray, reduction: int, longest_side: int, sides: Sides) -> Picture:
    height, width = bucket_shape(image.shape[0], image.shape[1], longest_side, sides)
    # As in resize_to_cover: to the nearest pixel, then cropped evenly.
    zoom = max(height / image.shape[0], width / image.shape[1])
    resized = np.array([max(width, round(image.shape[1] * zoom)), max(height, round(image.shape[0] * zoom))])
    factors = reduction * np.array(image.shape[1::-1]) / resized
    cut = (resized - (width, height)) // 2
    return Picture(
        fit_to_bucket(image, longest_side, sides),
        factors.astype(np.float32),
        (cut * factors).astype(np.float32),
        reduction * min(image.shape[:2]),
    )
