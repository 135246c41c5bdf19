"""Pictures on their way to the model: decoded and resized by worker processes, in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader, Dataset

from landmarks.data.buckets import fit_to_bucket
from landmarks.data.images import read_image
from landmarks.errors import UserError
from landmarks.store.images import image_path

# A reduced JPEG keeps this many times the longest side: where the bucket is wider in aspect than the picture, the picture
# grows past `longest_side` before the overhang is cut off, by less than 1/8 for shorter sides of 128 pixels and more.
_MARGIN = 9 / 8


class ExtractSet(Dataset):
    """One picture an item, upright and fitted to its bucket: (height, width, 3) uint8 RGB.

    A picture that cannot be read comes as its UserError: whether that stops the run is for the stage to say.

    folder, split  where the pictures lie (GLDv2 layout)
    ids            (n,) strings, in the order of the items
    longest_side   pixels
    """

    def __init__(self, folder: Path, split: str, ids: np.ndarray, longest_side: int):
        self.folder, self.split, self.longest_side = folder, split, longest_side
        # One block of characters, not millions of objects: a worker that counts a reference to an object copies its memory page.
        self.ids = np.asarray(ids, dtype=str)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, item: int) -> np.ndarray | UserError:
        try:
            image = read_image(image_path(self.folder, self.split, str(self.ids[item])), round(self.longest_side * _MARGIN))
        except UserError as error:
            return error
        return fit_to_bucket(image, self.longest_side)


def read_ahead(images: ExtractSet, workers: int, batch_size: int) -> Iterator[np.ndarray | UserError]:
    """The items of `images` in order, read by `workers` processes (0: by this one) up to two batches ahead.

    They come as arrays, one by one: torch tensors of worker processes would each hold a file descriptor and shared memory,
    which limits and containers keep short, and cost as much (1.0 ms for 1000 x 672 pixels, measured).
    """
    ahead = {"prefetch_factor": -(-2 * batch_size // workers)} if workers else {}
    return iter(DataLoader(images, batch_size=None, num_workers=workers, collate_fn=_as_it_is, **ahead))


def _as_it_is(image: np.ndarray | UserError) -> np.ndarray | UserError:
    return image
