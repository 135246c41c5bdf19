"""Place recognition: Recall@1, 5, 10 and 20 within some metres, of pictures or of sequences."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Chain, Config, PlacesSettings
from landmarks.datasets.places import Places, read_places
from landmarks.errors import UserError
from landmarks.metrics.places import found_within, near_places
from landmarks.ops.sequence_lists import consecutive, fuse_lists
from landmarks.ranking import Ranking
from landmarks.scoring.evaluation import mean
from landmarks.scoring.judge import Judge, Judged
from landmarks.scoring.protocol import Protocol
from landmarks.search.rankings import listed_numbers, read_chain_ranking
from landmarks.store.artefact import read_manifest
from landmarks.store.tables import read_tables, require_positions

PLACES = (1, 5, 10, 20)


class Truth(NamedTuple):
    """Of every query (a row of pictures: its frames) the index entries of its place; near: of every picture the index pictures."""

    queries: np.ndarray
    entries: np.ndarray
    images: np.ndarray
    offsets: np.ndarray
    near: tuple[np.ndarray, np.ndarray]


class PlaceRecognition(Protocol):
    def judge(self, config: Config) -> PlacesJudge:
        return PlacesJudge(config)


class PlacesJudge(Judge):
    """A query counts at N when one of its N best was taken near it; a sequence is where any of its frames is.

    Raises UserError where the tables say no position, and where sequences or headings are asked for that they do not have.
    """

    protocol, title, short, compared = "places", "Recall@N", "R@1", "Recall@1"
    headings = {f"recall_at_{at}": f"R@{at}" for at in PLACES}
    remedy = "larger places.metres, places.degrees=null or another places.subtask; all positions are in metres of one UTM zone"

    def __init__(self, config: Config):
        self._config, folder = config, config.tables_folder
        if config.dataset.source == "msls":
            _require_prepared(config)
        self._tables = read_tables(folder, config.dataset.train_table)
        queries = read_places(folder / "test.csv", self._tables.test_ids)
        self._truth = _truth(config.places, queries, read_places(folder / "index.csv", self._tables.index_ids), folder)
        positives = np.diff(self._truth.offsets)
        self._scored = positives > 0 if config.places.skip_without_positives else np.ones(len(positives), bool)
        # A sequence goes by the picture in its middle.
        self._rows = self._truth.queries[:, self._truth.queries.shape[1] // 2][self._scored]
        self._queries = pd.DataFrame({"id": self._tables.test_ids[self._rows], "relevant": positives[self._scored]})
        self._counts = {"scored": int(self._scored.sum()), "without a positive": int((positives == 0).sum())}
        self.choices = _words(config.places)
        self.truth_files = (folder / "test.csv", folder / "index.csv")
        unmeasured = [str(at) for at in PLACES if not self._measures(at, config.search.neighbours)]
        if unmeasured:
            self.choices |= {"length of lists": f"{config.search.neighbours}: too short for Recall@{', '.join(unmeasured)}"}

    @property
    def queries(self) -> pd.DataFrame:
        return self._queries

    @property
    def counts(self) -> dict[str, int]:
        return self._counts

    def judge(self, chain: Chain) -> Judged:
        """Recall@20 of lists of 5 would be Recall@5 under another name: what the lists are too short for is not measured."""
        ranking = read_chain_ranking(self._config, chain)
        predicted, truth, found = self._predicted(ranking), (self._truth.images, self._truth.offsets), {}
        for at in PLACES:
            hits = found_within(predicted, *truth, at)[self._scored].astype(float)
            found[f"recall_at_{at}"] = hits if self._measures(at, ranking.indices.shape[1]) else np.full(len(hits), np.nan)
        return Judged(found, found["recall_at_1"], {name: mean(100 * hits[~np.isnan(hits)]) for name, hits in found.items()})

    def _measures(self, at: int, length: int) -> bool:
        """Whether lists of that length say what is found at `at`: they are as long, or hold the whole index."""
        return length >= min(at, len(self._tables.index_ids))

    def per_query(self, name: str, judged: Judged) -> dict[str, np.ndarray]:
        return {name: judged.decisive.astype(int)}

    def true_images(self, query: str) -> set[str]:
        images, offsets = self._truth.near
        row = require_positions([query], self._tables.test_ids, self._tables.path("test"), next_command("evaluate"))[0]
        return set(self._tables.index_ids[images[offsets[row] : offsets[row + 1]]])

    def _predicted(self, ranking: Ranking) -> np.ndarray:
        """(queries, at least 20 where there are so many) numbers of index entries, -1 = none."""
        predicted = listed_numbers(ranking, self._tables.test_ids, self._tables.index_ids)
        queries, entries = self._truth.queries, self._truth.entries
        if queries.shape[1] == entries.shape[1] == 1 and len(entries) == len(self._tables.index_ids):
            return predicted[queries[:, 0]]
        return fuse_lists(predicted, queries, entries, len(self._tables.index_ids), max(PLACES))

    def subjects(self) -> list[str]:
        """The first by id of the index pictures near a query; one without any shows a place of its own."""
        return [min(self.true_images(id), default=f"none near {id}") for id in self.queries["id"]]


def _truth(settings: PlacesSettings, queries: Places, index: Places, folder: Path) -> Truth:
    """folder: of the tables, for messages."""
    headings = None
    if settings.degrees is not None:
        if queries.headings is None or index.headings is None:
            raise UserError(
                "places.degrees asks for the cameras' headings, and the tables have none",
                where=folder,
                next="places.degrees=null, or a column heading in index.csv and test.csv",
            )
        headings = queries.headings, index.headings
    images, offsets = near_places(queries.positions, index.positions, settings.metres, headings, settings.degrees)
    query_rows = _sequences(queries, settings.query_frames, "query_frames", folder)
    index_rows = _sequences(index, settings.index_frames, "index_frames", folder)
    if settings.query_frames == settings.index_frames == 1 and queries.centres.all() and index.centres.all():
        return Truth(query_rows, index_rows, images, offsets, (images, offsets))
    # In which entries every picture is a frame; a query's place is that of all its frames together.
    entry_of: list[list[int]] = [[] for _ in index.ids]
    for number, rows in enumerate(index_rows):
        for row in rows:
            entry_of[row].append(number)
    lists = [
        sorted({entry for row in rows for image in images[offsets[row] : offsets[row + 1]] for entry in entry_of[image]})
        for rows in query_rows
    ]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return Truth(query_rows, index_rows, np.array([entry for one in lists for entry in one], np.int32), starts, (images, offsets))


def _sequences(places: Places, length: int, setting: str, folder: Path) -> np.ndarray:
    """(m, length) rows of the pictures of every sequence whose middle counts."""
    if length == 1:
        return np.flatnonzero(places.centres)[:, None]
    if places.sequences is None or places.frames is None:
        raise UserError(
            f"places.{setting}={length} asks for sequences, and the tables have none",
            where=folder,
            next=f"places.{setting}=1, or columns sequence and frame in index.csv and test.csv",
        )
    windows = consecutive(places.sequences, places.frames, length)
    return windows[places.centres[windows[:, length // 2]]]


def _require_prepared(config: Config) -> None:
    """Raise UserError where MSLS's tables were prepared for other cities, another subtask or other sequences."""
    manifest, wanted = read_manifest(config.tables_folder), config.places.model_dump(mode="json")
    made = {"query_frames": 1, "index_frames": 1, **manifest["settings"], **manifest.get("places", {})}
    for name in ("cities", "subtask", "query_frames", "index_frames"):
        if name in made and made[name] != wanted[name]:
            raise UserError(
                f"the tables were prepared for places.{name}={made[name]}, not {wanted[name]}",
                where=config.tables_folder,
                next=next_command("run", "run.folder=ANOTHER"),
            )


def _words(settings: PlacesSettings) -> dict[str, str]:
    frames = f"{settings.query_frames} frames against {settings.index_frames}"
    made = {"same place": f"{settings.metres:g} m" + (f", {settings.degrees:g} degrees" if settings.degrees is not None else "")}
    made["queries without a positive"] = "left out" if settings.skip_without_positives else "count as missed"
    return made | ({"sequences": frames} if (settings.query_frames, settings.index_frames) != (1, 1) else {})
