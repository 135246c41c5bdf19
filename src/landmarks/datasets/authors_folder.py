"""Reads a benchmark folder as its authors distribute it, by dataset.source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark, as_id, picture_names, require_folder
from landmarks.datasets.images import PHOTO_SUFFIXES
from landmarks.datasets.msls import read_msls
from landmarks.datasets.places import read_places_folder
from landmarks.datasets.revisited import read_revisited
from landmarks.errors import UserError


def read_authors_folder(dataset: DatasetSettings, places: PlacesSettings, *, need_pictures: bool) -> Benchmark:
    """The benchmark in dataset.folder, by dataset.source.

    places         which cities and subtask of MSLS are read
    need_pictures  False where descriptors are given: the pictures of Revisited may then be missing
    Raises UserError where the folder is not that benchmark's.
    """
    if dataset.source == "revisited":
        return read_revisited(dataset.folder, dataset.query_crop, need_pictures)
    if dataset.source == "places":
        return read_places_folder(dataset.folder)
    if dataset.source == "msls":
        return read_msls(dataset.folder, places.cities, places.subtask)
    return _read_pictures(dataset.folder)


def _read_pictures(folder: Path) -> Benchmark:
    """All pictures below the folder as index images, without ground truth or queries."""
    require_folder(folder, "with pictures in it or below it")
    names = picture_names(folder)
    if not names:
        raise UserError("no pictures", where=folder, next=f"dataset.folder=FOLDER with {', '.join(PHOTO_SUFFIXES)} files in it or below it")
    index = pd.DataFrame({"id": [as_id(name.rsplit(".", 1)[0]) for name in names], "path": names})
    return Benchmark(index, index[:0])
