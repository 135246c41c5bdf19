"""show-matches: two photos side by side, with lines between the local features that verification finds in both."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.data.images import read_image
from landmarks.datasets.images import Pictures
from landmarks.errors import UserError
from landmarks.extraction.run import extract_features
from landmarks.gallery.matches import draw_matches
from landmarks.ops.verification import match_pair, pair_seed
from landmarks.progress import say
from landmarks.store.files import write_jpeg
from landmarks.store.local_features import LocalStore, local_folder, local_model
from landmarks.store.tables import SPLITS, Tables, read_tables

FULL_SIZE = 1 << 20  # pixels of the longest side: no photo is reduced when it is decoded


def show_matches(config: Config, query: str, index: str) -> Path:
    """Write matches/<query>_<index>.jpg in the run folder; returns its path.

    query, index  ids of any split; local features of these two photos are extracted where they are missing
    Raises UserError for an unknown id, and as `run_extraction` does.
    """
    model = local_model(config.models, config.verification.model)
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    ids, splits = (query, index), [_split_of(id, tables) for id in (query, index)]
    wanted: dict[str, list[str]] = {}
    for id, split in dict(zip(ids, splits, strict=True)).items():  # a photo beside itself is described once
        wanted.setdefault(split, []).append(id)
    extract_features(config, "show-matches", model, {split: np.array(some, object) for split, some in wanted.items()})
    stores = [LocalStore(local_folder(config.run.folder, model, split)) for split in splits]
    first, second = (store.for_ids(np.array([id], object)) for id, store in zip(ids, stores, strict=True))
    match = match_pair(first, second, 0, 0, pair_seed(query, index), config.verification)
    inliers = match.rows[match.inside]
    counts = f"{len(inliers)} inliers of {len(match.rows)} matches"
    dataset = config.dataset
    paths = [Pictures(config.tables_folder, split, dataset.pictures_anywhere).path(id) for id, split in zip(ids, splits, strict=True)]
    photos = [read_image(path, FULL_SIZE, dataset.max_pixels) for path in paths]
    points = first.keypoints[inliers[:, 0], :2], second.keypoints[inliers[:, 1], :2]
    captions = f"{query}: {len(first.keypoints)} features", f"{index}: {len(second.keypoints)} features; {counts}"
    picture = draw_matches(photos[0], photos[1], points[0], points[1], captions)
    path = config.run.folder / "matches" / f"{query}_{index}.jpg"
    write_jpeg(path, picture, 90)
    say(f"{query} ({splits[0]}) and {index} ({splits[1]}): {counts}")
    say(f"picture: {path}")
    return path


def _split_of(id: str, tables: Tables) -> str:
    for split in SPLITS:
        if (tables.ids(split) == id).any():
            return split
    raise UserError(f"no image '{id}' in train, index or test", where=tables.folder, next="an id of one of its tables")
