"""Small copies of a dataset's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from landmarks.config import DatasetSettings
from landmarks.data.images import read_box, read_image, resize
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.store.files import write_jpeg

SIDE = 224  # pixels of a thumbnail's longest side: twice what is shown, for dense screens


class Thumbnails:
    """Small copies of dataset pictures beside the page, numbered in the order they are asked for: an id may hold anything."""

    def __init__(self, dataset: Path, folder: Path, settings: DatasetSettings):
        self._pictures = {split: Pictures(dataset, split, settings.pictures_anywhere) for split in ("test", "index")}
        self._max_pixels = settings.max_pixels
        self._folder = folder
        self._names: dict[tuple[str, str], str | None] = {}

    @property
    def made(self) -> int:
        return sum(name is not None for name in self._names.values())

    def exists(self, split: str, id: str) -> bool:
        return self._pictures[split].path(id).is_file()

    def file_name(self, split: str, id: str) -> str | None:
        """The file name of the thumbnail; None where the picture is missing or damaged."""
        if (split, id) not in self._names:
            name = f"{len(self._names):04d}.jpg"
            self._names[split, id] = name if self._make(split, id, self._folder / name) else None
        return self._names[split, id]

    def _make(self, split: str, id: str, target: Path) -> bool:
        path, boxes = self._pictures[split].path(id), self._pictures[split].boxes([id])
        try:
            image = read_image(path, SIDE, self._max_pixels) if boxes is None else read_box(path, boxes[0], self._max_pixels)[0]
        except UserError:  # the page shows the id in the picture's place
            return False
        shrink = min(1.0, SIDE / max(image.shape[:2]))
        image = resize(image, *(max(1, round(side * shrink)) for side in image.shape[:2]))
        write_jpeg(target, Image.fromarray(np.ascontiguousarray(image)), 80, durable=False)
        return True
