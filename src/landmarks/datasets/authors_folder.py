"""A dataset's folder as its authors distribute it, read by the reader of its source."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark
from landmarks.datasets.usable import require_usable
from landmarks.errors import UserError

Reader = Callable[[DatasetSettings, PlacesSettings, bool], Benchmark]


def read_authors_folder(dataset: DatasetSettings, places: PlacesSettings, *, need_pictures: bool) -> Benchmark:
    """The benchmark in dataset.folder, by the reader that config/dataset.py names for dataset.source.

    places         which cities and subtask of MSLS are read
    need_pictures  False where descriptors are given: the pictures may then be missing
    Raises UserError where the folder is not that benchmark's, and for a source that has no reader;
    and for names and entries of which no table can be made.
    """
    if dataset.kind.reader is None:
        raise UserError(
            f"dataset.source={dataset.source} needs no preparing: its tables are there already",
            where=dataset.folder,
            next="dataset.source=revisited, places, msls or pictures for a benchmark as its authors distribute it",
        )
    module, _, function = dataset.kind.reader.partition(":")
    reader: Reader = getattr(importlib.import_module(f"landmarks.datasets.{module}"), function)
    benchmark = reader(dataset, places, need_pictures)
    require_usable(benchmark, dataset.folder)
    return benchmark
