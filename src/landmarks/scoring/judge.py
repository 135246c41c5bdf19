"""What a protocol makes of a ranking: measures of every query, by a truth that a person can look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from landmarks.config import Chain
from landmarks.errors import UserError
from landmarks.metrics.bootstrap import mean_interval
from landmarks.scoring.evaluation import in_percent, mean
from landmarks.store.artefact import fingerprint_of_file


@dataclass(frozen=True)
class Judged:
    """A chain's ranking as a protocol measures it; queries as in `Judge.queries`.

    measures  name -> (n_query,) float64 from 0 to 1, NaN = the query has no part in it; the names of `Judge.headings`
    decisive  (n_query,) float64 from 0 to 1, NaN = left out: what two chains are compared by
    numbers   name -> what is reported, in percent where it is a share; None where there was nothing to measure
    """

    measures: dict[str, np.ndarray]
    decisive: np.ndarray
    numbers: dict[str, float | None]


class Judge(ABC):
    """A dataset's ground truth; opened once, it judges any chain whose rankings are there.

    protocol     its name
    title        what is measured, in a word
    compared     what `decisive` is, in words
    short        the same, before a number
    headings     measure -> the heading of its column
    remedy       what to do where no query is scored
    choices      what changes the numbers of this protocol alone, in words
    truth_files  the files that say what is to be found
    """

    protocol: ClassVar[str]
    title: ClassVar[str]
    compared: ClassVar[str]
    short: ClassVar[str]
    headings: ClassVar[dict[str, str]]
    remedy: ClassVar[str] = "use the ground truth of this very dataset"
    choices: dict[str, str]
    truth_files: tuple[Path, ...] = ()

    @property
    @abstractmethod
    def queries(self) -> pd.DataFrame:
        """A row a scored query: id, relevant (how many images are to be found), and usage and group where the dataset has them."""

    @property
    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many queries of which kind."""

    @abstractmethod
    def judge(self, chain: Chain) -> Judged:
        """Raises UserError where a ranking is missing or was made with other settings."""

    @abstractmethod
    def per_query(self, name: str, judged: Judged) -> dict[str, np.ndarray]:
        """The columns of per_query.csv for the chain `name`, (n_query,) each."""

    @abstractmethod
    def true_images(self, query: str) -> set[str]:
        """The index ids that are to be found."""

    def means(self, judged: Judged, among: np.ndarray) -> dict[str, float | None]:
        """The measures over the queries `among`, (n_query,) bool, in percent; None where none of them has a part in it."""
        return {name: _mean_of(values[among]) for name, values in judged.measures.items()}

    def score(self, judged: Judged, among: np.ndarray) -> float | None:
        """What chains are compared by, over the queries `among`, in percent."""
        return _mean_of(judged.decisive[among])

    def changes(self, pairs: Sequence[tuple[Judged, Judged]], among: np.ndarray, samples: int, seed: int) -> np.ndarray:
        """(3, pairs) float64, percentage points: the change of the score from the second of each pair to the first, over the queries
        `among`, and its 95 % interval by the paired bootstrap over them.
        """
        changes = np.zeros((int(among.sum()), len(pairs)))
        for column, (judged, reference) in enumerate(pairs):
            changes[:, column] = judged.decisive[among] - reference.decisive[among]
        points = 100 * changes
        means = points.mean(axis=0) if len(points) else np.full(len(pairs), np.nan)
        return np.vstack([means, mean_interval(points, samples, seed)])

    @abstractmethod
    def subjects(self) -> list[str]:
        """(n_query,) a word for what each query shows, the same for queries of one landmark or place."""

    def ignored_images(self, query: str) -> set[str]:
        """The index ids that are neither right nor wrong."""
        return set()

    def truth(self) -> dict[str, str]:
        """The name and the digest of each of the files that say what is to be found."""
        return {path.name: fingerprint_of_file(path) for path in self.truth_files}

    def decisive_column(self, name: str) -> str:
        """Which of the columns of `per_query` holds what chains are compared by."""
        return name

    def public(self) -> np.ndarray | None:
        """(n_query,) bool, the queries whose score a competition shows; None where it hides none."""
        return None

    def tabled(self, numbers: dict[str, float | None]) -> dict[str, float | None]:
        """Those of a chain's numbers that are written to ablation.csv."""
        return numbers

    def more_results(self, per_query: pd.DataFrame, names: list[str]) -> dict[str, Any]:
        """What metrics.json says beyond the numbers of the chains `names`."""
        return {}


def _mean_of(shares: np.ndarray) -> float | None:
    """In percent, of those that are there."""
    return mean(in_percent(shares[~np.isnan(shares)]))


def require_scored(judge: Judge, folder: Path) -> None:
    """Raise UserError where the numbers would be of nothing: no query is scored, or none has an image that is to be found.

    folder  of the ground truth, for the message
    """
    if len(judge.queries) == 0:
        raise UserError("the ground truth has no scored query", where=folder, next=judge.remedy)
    if not (judge.queries["relevant"] > 0).any():
        raise UserError("no query has an image that is to be found", where=folder, next=judge.remedy)
