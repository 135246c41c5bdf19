"""Place recognition: Recall@1, 5, 10 and 20 within some metres, of pictures or of sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.metrics.places import found_within, near_places
from landmarks.ops.sequence_lists import consecutive, fuse_lists
from landmarks.protocols.evaluation import Evaluation, Scores, choices, model_name
from landmarks.ranking import Ranking
from landmarks.scoring import mean
from landmarks.store.artefact import library_versions
from landmarks.store.places import Places, read_places
from landmarks.store.rankings import read_chain_manifests, read_ranking
from landmarks.store.tables import positions, read_tables

PLACES = (1, 5, 10, 20)


class Truth(NamedTuple):
    """Of every query (a row of pictures: its frames) the index entries of its place."""

    queries: np.ndarray
    entries: np.ndarray
    images: np.ndarray
    offsets: np.ndarray


def score_places(config: Config) -> Scores:
    """A query counts at N when one of its N best was taken near it; a sequence is where any of its frames is.

    Raises UserError where the tables say no position, and where sequences or headings are asked for that they do not have.
    """
    folder = config.tables_folder
    tables = read_tables(folder, config.dataset.train_table)
    queries, index = read_places(folder / "test.csv", tables.test_ids), read_places(folder / "index.csv", tables.index_ids)
    truth = _truth(config, queries, index)
    scored = np.diff(truth.offsets) > 0 if config.places.skip_without_positives else np.ones(len(truth.queries), bool)
    middle = truth.queries[:, truth.queries.shape[1] // 2]
    table = pd.DataFrame({"id": tables.test_ids[middle[scored]], "positives": np.diff(truth.offsets)[scored]})
    made = choices(config) | _words(config)
    rows, metrics, evaluations, seconds = [], {}, [], 0.0
    for name, manifest in read_chain_manifests(config, config.rerank).items():
        seconds += manifest.get("step_seconds", manifest["seconds"])
        predicted = _predicted(read_ranking(config.run.folder / "rankings" / name), tables.test_ids, tables.index_ids, truth)
        found = {at: found_within(predicted, truth.images, truth.offsets, at)[scored] for at in PLACES}
        numbers = {f"recall_at_{at}": mean(100 * found[at]) for at in PLACES}
        table[name] = found[1].astype(int)
        spent = round(seconds, 3)
        metrics[name] = numbers | {"seconds": spent, "fingerprint": manifest["fingerprint"]}
        rows.append({"chain": name} | numbers | {"seconds": spent})
        evaluations.append(
            Evaluation(model_name(config), name, "places", str(config.dataset.folder), made, numbers, manifest["fingerprint"])
        )
    results = {
        "unit": "percent",
        "protocol": "places",
        "choices": made,
        "queries": {"scored": int(scored.sum()), "without a positive": int((np.diff(truth.offsets) == 0).sum())},
        "chains": metrics,
        "versions": library_versions(),
    }
    return Scores(results, pd.DataFrame(rows), table, evaluations)


def _truth(config: Config, queries: Places, index: Places) -> Truth:
    settings = config.places
    headings = None
    if settings.degrees is not None:
        if queries.headings is None or index.headings is None:
            raise UserError(
                "places.degrees asks for the cameras' headings, and the tables have none",
                where=config.tables_folder,
                next="places.degrees=null, or a column heading in index.csv and test.csv",
            )
        headings = queries.headings, index.headings
    images, offsets = near_places(queries.positions, index.positions, settings.metres, headings, settings.degrees)
    query_rows = _sequences(config, queries, settings.query_frames, "query_frames")
    index_rows = _sequences(config, index, settings.index_frames, "index_frames")
    if settings.query_frames == settings.index_frames == 1:
        return Truth(query_rows, index_rows, images, offsets)
    # In which entries every picture is a frame; a query's place is that of all its frames together.
    entry_of = [[] for _ in index.ids]
    for number, rows in enumerate(index_rows):
        for row in rows:
            entry_of[row].append(number)
    lists = [
        sorted({entry for row in rows for image in images[offsets[row] : offsets[row + 1]] for entry in entry_of[image]})
        for rows in query_rows
    ]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return Truth(query_rows, index_rows, np.array([entry for one in lists for entry in one], np.int32), starts)


def _sequences(config: Config, places: Places, length: int, setting: str) -> np.ndarray:
    if length == 1:
        return np.arange(len(places.ids))[:, None]
    if places.sequences is None or places.frames is None:
        raise UserError(
            f"places.{setting}={length} asks for sequences, and the tables have none",
            where=config.tables_folder,
            next=f"places.{setting}=1, or columns sequence and frame in index.csv and test.csv",
        )
    return consecutive(places.sequences, places.frames, length)


def _predicted(ranking: Ranking, test_ids: np.ndarray, index_ids: np.ndarray, truth: Truth) -> np.ndarray:
    """(queries, at least 20 where there are so many) numbers of index entries, -1 = none."""
    numbers = np.append(positions(ranking.index_ids, index_ids), -1)
    rows = positions(test_ids, ranking.query_ids)
    predicted = numbers[ranking.indices[rows]]
    predicted[rows < 0] = -1
    if truth.queries.shape[1] == truth.entries.shape[1] == 1:
        return predicted[truth.queries[:, 0]]
    return fuse_lists(predicted, truth.queries, truth.entries, len(index_ids), max(PLACES))


def _words(config: Config) -> dict[str, str]:
    settings = config.places
    frames = f"{settings.query_frames} frames against {settings.index_frames}"
    made = {"same place": f"{settings.metres:g} m" + (f", {settings.degrees:g} degrees" if settings.degrees is not None else "")}
    made["queries without a positive"] = "left out" if settings.skip_without_positives else "count as missed"
    return made | ({"sequences": frames} if (settings.query_frames, settings.index_frames) != (1, 1) else {})
