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
from landmarks.store.files import atomic_write
from landmarks.store.local_features import LocalStore, local_folder, local_model
from landmarks.store.tables import SPLITS, Tables, read_tables


def show_matches(config: Config, query: str, index: str) -> Path:
    """Write matches/<query>_<index>.jpg in the run folder; returns its path.

    query, index  ids of any split. Local features that are not there yet are extracted, of these two photos only.
    Raises UserError for an unknown id, and as `run_extraction` does.
    """
    model = local_model(config.models, config.verification.model)
    tables = read_tables(config.tables_folder, config.dataset.train_table)
    places = [(_split_of(id, tables), id) for id in (query, index)]
    splits = dict.fromkeys(split for split, _ in places)
    wanted = {split: np.array([id for its_split, id in dict.fromkeys(places) if its_split == split], object) for split in splits}
    extract_features(config, "show-matches", model, wanted)
    features = [LocalStore(local_folder(config.run.folder, model, split)).for_ids(np.array([id], object)) for split, id in places]
    match = match_pair(*features, 0, 0, pair_seed(query, index), config.verification)
    photos = [read_image(Pictures(config.tables_folder, split).path(id), 1 << 20) for split, id in places]  # as they are, never reduced
    points = [one.keypoints[rows, :2] for one, rows in zip(features, match.rows[match.inside].T, strict=True)]
    counts = f"{match.inside.sum()} inliers of {len(match.rows)} matches"
    captions = [f"{id}: {len(one.keypoints)} features" for one, (_, id) in zip(features, places, strict=True)]
    picture = draw_matches(*photos, *points, (captions[0], f"{captions[1]}; {counts}"))
    path = config.run.folder / "matches" / f"{query}_{index}.jpg"
    with atomic_write(path) as aside:
        picture.save(aside, format="JPEG", quality=90)
    say(f"{query} ({places[0][0]}) and {index} ({places[1][0]}): {counts}")
    say(f"picture: {path}")
    return path


def _split_of(id: str, tables: Tables) -> str:
    for split in SPLITS:
        if (tables.ids(split) == id).any():
            return split
    raise UserError(f"no image '{id}' in train, index or test", where=tables.folder, next="an id of one of its tables")
