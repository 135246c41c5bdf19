"""Revisited Oxford and Paris: mAP and mean precision at 1, 5 and 10; Easy, Medium and Hard."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Chain, Config, chain_names, first_verifying, verifies
from landmarks.datasets.revisited import TRUTH, RevisitedTruth, read_revisited_truth
from landmarks.metrics.revisited import DIFFICULTIES, average_precision, precision_at, without_junk
from landmarks.ops.completion import complete_ranks
from landmarks.rerank.steps.remove_junk import RemoveJunk
from landmarks.scoring.evaluation import in_percent, mean
from landmarks.scoring.judge import Judge, Judged
from landmarks.scoring.protocol import Protocol
from landmarks.search.rankings import SPACE, read_chain_manifests, read_ranking, require_queries
from landmarks.store.csv_files import read_csv_header
from landmarks.store.files import read_array
from landmarks.store.tables import positions, read_ids, read_tables, require_positions
from landmarks.summary import print_protocol

PLACES = (1, 5, 10)
DECISIVE = "medium"
NEVER = np.iinfo(np.int64).max  # the rank of what is not found


class Revisited(Protocol):
    """Easy, Medium and Hard; where a chain verifies, it is run for each of them, without that one's junk."""

    def judge(self, config: Config) -> RevisitedJudge:
        return RevisitedJudge(config)

    def chains(self, chain: Chain) -> tuple[Chain, ...]:
        return tuple(dict.fromkeys(without_junk_before_verify(chain, difficulty) for difficulty in DIFFICULTIES))

    def junk(self, tables_folder: Path, query_ids: np.ndarray, index_ids: np.ndarray) -> Callable[[str], list[np.ndarray]]:
        return read_revisited_truth(tables_folder, query_ids, index_ids).junk

    def show(self, results: dict[str, Any]) -> None:
        print_protocol(results, parts=list(results["queries"]))


def without_junk_before_verify(chain: Chain, difficulty: str) -> Chain:
    """The chain with that difficulty's junk removed before the first verification, as published (Cao et al., section 5.3).

    Without it junk would take the places of images that are to be verified. A chain that verifies nothing stays as it is: the
    protocol removes the junk itself.
    """
    if not verifies(chain) or any(isinstance(step, RemoveJunk) for step in chain):
        return chain
    place = first_verifying(chain)
    return (*chain[:place], RemoveJunk.model_validate({"difficulty": difficulty}), *chain[place:])


class RevisitedJudge(Judge):
    """Images behind the end of a list count in the order of their similarity: the whole index is ranked, as the protocol asks.

    Queries without a positive of a difficulty are left out of that difficulty's means; one that was not searched for finds
    nothing. Raises UserError where the ground truth is missing or belongs to other images.
    """

    protocol, title, short, compared = "revisited", "mAP over the whole index", "AP Medium", "mAP Medium"
    headings = {"map_easy": "easy", "map_medium": "medium", "map_hard": "hard"}

    def __init__(self, config: Config):
        self._config = config
        self._folder = config.tables_folder
        self._test_ids = read_tables(self._folder, config.dataset.train_table).test_ids
        self.truth_files = (self._folder / TRUTH,)
        self.choices = {
            "query crop": _crop(bool(config.models), self._folder / "test.csv"),
            "distractors": str(config.dataset.distractors or "none"),
        }

    @cached_property
    def queries(self) -> pd.DataFrame:
        return pd.DataFrame({"id": self._test_ids, "relevant": self._relevant(DECISIVE)})

    @cached_property
    def counts(self) -> dict[str, int]:
        return {difficulty: int((self._relevant(difficulty) > 0).sum()) for difficulty in DIFFICULTIES}

    def judge(self, chain: Chain) -> Judged:
        """The lists are those that each difficulty's verification left, without its junk."""
        known: dict[str, list[dict[str, np.ndarray]]] = {}
        columns: dict[str, np.ndarray] = {}
        for difficulty in DIFFICULTIES:
            own = without_junk_before_verify(chain, difficulty)
            read_chain_manifests(self._config, own)
            names = chain_names(own)
            if names[-1] not in known:  # most chains are the same for all difficulties
                known[names[-1]] = self._ranks(names)
            measured = np.array([_measure(of_query, difficulty) for of_query in known[names[-1]]]).reshape(-1, 1 + len(PLACES))
            keys = [f"map_{difficulty}", *(f"precision_at_{at}_{difficulty}" for at in PLACES)]
            columns |= dict(zip(keys, measured.T, strict=True))
        numbers = {name: mean(100 * column[~np.isnan(column)]) for name, column in columns.items()}
        return Judged({name: columns[name] for name in self.headings}, columns[f"map_{DECISIVE}"], numbers)

    def per_query(self, name: str, judged: Judged) -> dict[str, np.ndarray]:
        return {f"{name} {difficulty}": in_percent(judged.measures[f"map_{difficulty}"]) for difficulty in DIFFICULTIES}

    def decisive_column(self, name: str) -> str:
        return f"{name} {DECISIVE}"

    def true_images(self, query: str) -> set[str]:
        return self._images(query, DIFFICULTIES[DECISIVE][0])

    def ignored_images(self, query: str) -> set[str]:
        return self._images(query, DIFFICULTIES[DECISIVE][1])

    def subjects(self) -> list[str]:
        """The first by id of a query's images of any kind: a landmark's five queries have much the same ones, by kinds of their own."""
        return [min(self._images(query, tuple(self._truth.images)), default=f"none of {query}") for query in self._test_ids]

    def _images(self, query: str, kinds: tuple[str, ...]) -> set[str]:
        row = require_positions([query], self._test_ids, self._folder / "test.csv", next_command("evaluate"))[0]
        return set(self._index_ids[np.concatenate([self._truth.images[kind][row] for kind in kinds])])

    def _relevant(self, difficulty: str) -> np.ndarray:
        kinds = [self._truth.images[kind] for kind in DIFFICULTIES[difficulty][0]]
        return np.array([len(np.unique(np.concatenate(images))) for images in zip(*kinds)], np.int64)

    @cached_property
    def _index_ids(self) -> np.ndarray:
        """With those of the distractors."""
        return read_ids(self._config.run.folder / "rankings" / "knn" / "index_ids.csv")

    @cached_property
    def _truth(self) -> RevisitedTruth:
        return read_revisited_truth(self._folder, self._test_ids, self._index_ids)

    def _ranks(self, names: list[str]) -> list[dict[str, np.ndarray]]:
        """Of each query the ranks of its images of each kind, in the whole ranking, 0 = first."""
        folder = self._config.run.folder
        ranking = read_ranking(folder / "rankings" / names[-1])
        require_queries(self._config, ranking, folder / "rankings" / names[-1])
        rows = positions(self._test_ids, ranking.query_ids)
        searched = np.flatnonzero(rows >= 0)  # the others could not be described, and find nothing
        queries, index = _vectors(folder, names)
        kinds = list(self._truth.images)
        wanted = list(zip(*self._truth.images.values()))
        images = [np.concatenate(lists) for lists in wanted]
        found = [np.full(len(one), NEVER) for one in images]
        ranked = complete_ranks(ranking.indices[rows[searched]], queries[rows[searched]], index, [images[row] for row in searched])
        for row, ranks in zip(searched, ranked, strict=True):
            found[row] = ranks
        ends = [np.cumsum([len(images) for images in lists])[:-1] for lists in wanted]
        return [dict(zip(kinds, np.split(ranks, cuts))) for ranks, cuts in zip(found, ends)]


def _vectors(folder: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of queries and index that the last search of the chain compared, mapped from disk."""
    for name in reversed(names):
        space = folder / "rankings" / name / SPACE
        if space.is_dir():
            return read_array(space / "test.npy", mapped=True), read_array(space / "index.npy", mapped=True)
    test, index = (read_array(folder / "space" / split / "vectors.npy", mapped=True) for split in ("test", "index"))
    return test, index


def _measure(ranks: dict[str, np.ndarray], difficulty: str) -> list[float]:
    """AP and precisions of one query. The lists are sets, as in the authors' evaluator: an image in two of them is one image."""
    positives, junk = (np.concatenate([ranks[kind] for kind in kinds]) for kinds in DIFFICULTIES[difficulty])
    found = np.unique(positives[positives < NEVER])  # different images have different ranks
    count = len(found) + int((positives == NEVER).sum())
    clean = without_junk(found, junk[junk < NEVER])
    return [average_precision(clean, count), *(precision_at(clean, count, at) for at in PLACES)]


def _crop(described: bool, queries: Path) -> str:
    """described: whether models of the run described the pictures; queries: test.csv."""
    if not described:
        return "not known (descriptors as given)"
    return "the authors' boxes" if "left" in read_csv_header(queries) else "none: whole pictures"
