"""Where the pictures of a dataset lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from landmarks.errors import UserError
from landmarks.progress import progress


def image_path(folder: Path, split: str, id: str) -> Path:
    """GLDv2's layout: <split>/a/b/c/abc....jpg."""
    return Path(folder, split, *id[:3], f"{id}.jpg")


def require_images(folder: Path, split: str, ids: np.ndarray) -> None:
    """Raise UserError when pictures are missing, naming the first and their number."""
    missing = [id for id in progress(ids, f"looking for {split} images", "image") if not os.path.exists(image_path(folder, split, id))]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(ids)} {split} images are missing, first '{missing[0]}'",
            where=image_path(folder, split, missing[0]),
            next="complete the dataset, or remove the rows from its table",
        )


def photo_ids(folder: Path, split: str) -> list[str]:
    """The ids of the photos that lie in GLDv2's layout, sorted."""
    return sorted(name.removesuffix(".jpg") for _, _, names in os.walk(Path(folder, split)) for name in names if name.endswith(".jpg"))
