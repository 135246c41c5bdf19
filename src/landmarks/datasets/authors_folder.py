"""A dataset's folder as its authors distribute it, whichever it is."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from landmarks.config import Config
from landmarks.datasets.benchmark import Benchmark, as_id, picture_names, require_folder
from landmarks.datasets.msls import read_msls
from landmarks.datasets.places import read_places_folder
from landmarks.datasets.revisited import read_revisited
from landmarks.errors import UserError


def read_authors_folder(config: Config) -> Benchmark:
    """The benchmark in dataset.folder, by dataset.source. Raises UserError where the folder is not that benchmark's."""
    source = config.dataset.folder
    if config.dataset.source == "revisited":
        return read_revisited(source, config.dataset.query_crop, need_pictures=bool(config.models))
    if config.dataset.source == "places":
        return read_places_folder(source)
    if config.dataset.source == "msls":
        return read_msls(source, config.places.cities, config.places.subtask)
    return _read_pictures(source)


def _read_pictures(folder: Path) -> Benchmark:
    """All pictures below the folder, nothing else known of them; no queries."""
    require_folder(folder, "with pictures in it or below it")
    names = picture_names(folder)
    if not names:
        raise UserError("no pictures", where=folder, next="dataset.folder=FOLDER with .jpg or .png files in it or below it")
    index = pd.DataFrame({"id": [as_id(name.rsplit(".", 1)[0]) for name in names], "path": names})
    return Benchmark(index, index[:0])
