"""Any folder of pictures, described to be searched as distractors by other runs."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark, as_id, in_words, picture_names, require_folder
from landmarks.datasets.images import PHOTO_SUFFIXES
from landmarks.errors import UserError


def read_source(dataset: DatasetSettings, places: PlacesSettings, need_pictures: bool) -> Benchmark:
    """All pictures below dataset.folder as index images, without ground truth or queries."""
    require_folder(dataset.folder, "with pictures in it or below it")
    passed_over: Counter[str] = Counter()
    names = picture_names(dataset.folder, passed_over)
    if not names:
        suffixes, there = ", ".join(PHOTO_SUFFIXES), f"; there are {in_words(passed_over)}" if passed_over else ""
        raise UserError(f"no pictures{there}", where=dataset.folder, next=f"dataset.folder=FOLDER with {suffixes} files in it or below it")
    index = pd.DataFrame({"id": [as_id(name.rsplit(".", 1)[0]) for name in names], "path": names})
    return Benchmark(index, index[:0], passed_over=dict(passed_over))
