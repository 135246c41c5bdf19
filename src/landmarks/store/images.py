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


def missing_images(folder: Path, split: str, ids: np.ndarray) -> list[str]:
    """Those of `ids` whose picture is not there, in their order; each folder is listed once."""
    wanted: dict[str, list[str]] = {}
    for id in ids:
        wanted.setdefault(id[:3], []).append(id)
    missing = set()
    with progress(None, f"looking for {split} images", "image", total=len(ids)) as bar:
        for some in wanted.values():
            there = _names(image_path(folder, split, some[0]).parent)
            missing.update(id for id in some if f"{id}.jpg" not in there)
            bar.update(len(some))
    return [id for id in ids if id in missing] if missing else []


def require_images(folder: Path, split: str, ids: np.ndarray) -> None:
    """Raise UserError when pictures are missing, naming the first and their number."""
    missing = missing_images(folder, split, ids)
    if missing:
        raise UserError(
            f"{len(missing)} of {len(ids)} {split} images are missing, first '{missing[0]}'",
            where=image_path(folder, split, missing[0]),
            next="complete the dataset, or remove the rows from its table",
        )


def photo_ids(folder: Path, split: str) -> list[str]:
    """The ids of the photos that lie in GLDv2's layout, sorted."""
    return sorted(name.removesuffix(".jpg") for _, _, names in os.walk(Path(folder, split)) for name in names if name.endswith(".jpg"))


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()
