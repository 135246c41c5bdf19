"""The archives of Kaggle's competitions and data sets."""

from __future__ import annotations

from functools import partial

from landmarks.config import DownloadSettings
from landmarks.remote.items import Item
from landmarks.remote.kaggle_client import Kaggle, competition, dataset

# Kaggle reports sizes only to users who are signed in. Users report 97.6 GB for landmark-recognition-2020; the others hold the same
# 1,580,470 training photos and at most 78,000 beside them.
_REPORTED = dict.fromkeys((f"landmark-{kind}-{year}" for kind in ("recognition", "retrieval") for year in (2020, 2021)), 97_600_000_000)


def kaggle_items(settings: DownloadSettings, kaggle: Kaggle | None) -> list[Item]:
    """One zip for each competition and data set; kaggle: None without a sign-in."""
    items = []
    for name in settings.competitions:
        ask = None if kaggle is None else partial(kaggle.competition_archive, name)
        items.append(Item(f"{name}.zip", competition(name).name, competition(name), ask, about=_REPORTED.get(name)))
    for name in settings.datasets:
        ask = None if kaggle is None else partial(kaggle.dataset_archive, name)
        items.append(Item(f"{name.replace('/', '.')}.zip", dataset(name).name, dataset(name), ask))
    return items
