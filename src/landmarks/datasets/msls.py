"""Mapillary Street-Level Sequences: the authors' folder, its tables city by city."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.config import DatasetSettings, PlacesSettings
from landmarks.datasets.benchmark import Benchmark, as_id, require_folder
from landmarks.datasets.places import whole_numbers
from landmarks.errors import UserError
from landmarks.ops.sequence_lists import consecutive
from landmarks.store.csv_files import read_csv

LAYOUT = (
    "as MSLS distributes it: train_val/<city>/query and .../database, each with images/, postprocessed.csv, raw.csv, seq_info.csv "
    "and subtask_index.csv"
)
PARTS = ("database", "query")
PICTURES: Mapping[str, int] = {"database": 1, "query": 1}


def read_source(dataset: DatasetSettings, places: PlacesSettings, need_pictures: bool) -> Benchmark:
    """The benchmark in dataset.folder, for the stage `prepare`; raises as `read_msls`."""
    frames = {"database": places.index_frames, "query": places.query_frames}
    return read_msls(dataset.folder, places.cities, places.subtask, frames)


def read_msls(folder: Path, cities: tuple[str, ...], subtask: str, frames: Mapping[str, int] = PICTURES) -> Benchmark:
    """The database (index) and the queries (test) of `cities`.

    subtask  column of subtask_index.csv: its pictures count, but no panoramas
    frames   consecutive frames that make a sequence, of "database" and "query"; 1 = pictures. As in the authors' code a sequence
             counts where the frame in its middle does, whatever the others are. The tables then hold all frames of the sequences that
             count, and the column `centre` (true or false) says which may be in the middle of one
    Raises UserError for another folder, a missing city, and tables whose rows differ.
    """
    require_folder(folder, LAYOUT, "train_val")
    tables: dict[str, list[pd.DataFrame]] = {part: [] for part in PARTS}
    for city in cities:
        require_folder(folder / "train_val" / city, LAYOUT, *PARTS)
        for part in PARTS:
            tables[part].append(_read(folder, city, part, subtask, frames[part]))
    index, test = (pd.concat(tables[part], ignore_index=True) for part in PARTS)
    return Benchmark(index, test)


def _read(folder: Path, city: str, part: str, subtask: str, length: int) -> pd.DataFrame:
    place = folder / "train_val" / city / part
    derived, raw = read_csv(place / "postprocessed.csv", ["key", "easting", "northing"]), read_csv(place / "raw.csv", ["key", "ca", "pano"])
    sequences = read_csv(place / "seq_info.csv", ["key", "sequence_key", "frame_number"])
    subtasks = read_csv(place / "subtask_index.csv", [subtask])
    frame = derived.to_pandas()
    for name, table in {"raw.csv": raw, "seq_info.csv": sequences}.items():
        if table["key"].to_pylist() != frame["key"].tolist():
            raise UserError("its rows are not those of postprocessed.csv", where=place / name, next="download MSLS's metadata again")
    if len(subtasks) != len(frame):
        raise UserError(
            f"{len(subtasks)} rows, but postprocessed.csv has {len(frame)}",
            where=place / "subtask_index.csv",
            next="download MSLS's metadata again",
        )
    frame["heading"], pano = raw["ca"].to_pandas(), raw["pano"].to_pandas()
    frame["sequence"], frame["frame"] = f"{city}@" + sequences["sequence_key"].to_pandas(), sequences["frame_number"].to_pandas()
    counts = ((subtasks[subtask].to_pandas().str.lower() == "true") & (pano.str.lower() == "false")).to_numpy()
    if length == 1:
        frame = frame[counts]
    else:
        windows = consecutive(frame["sequence"].to_numpy(dtype=object), whole_numbers(frame["frame"], place / "seq_info.csv"), length)
        rows = np.unique(windows[counts[windows[:, length // 2]]])
        frame = frame.iloc[rows].assign(centre=np.where(counts[rows], "true", "false"))
    keys = frame["key"].to_numpy(dtype=object)
    frame.insert(0, "id", np.array([as_id(f"{part}@{city}@{key}") for key in keys], dtype=object))
    frame.insert(1, "path", np.array([f"train_val/{city}/{part}/images/{key}.jpg" for key in keys], dtype=object))
    return frame.drop(columns="key")
