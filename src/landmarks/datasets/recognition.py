"""The recognition challenge's files: recognition_solution*.csv (id,landmarks,Usage) and submissions (id,landmarks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.datasets.solution import refuse_unknown_queries, refuse_unknown_usages
from landmarks.errors import UserError, shown
from landmarks.store.cells import integer, number, words
from landmarks.store.csv_files import read_csv, write_csv
from landmarks.store.files import atomic_write
from landmarks.store.tables import positions, refuse_repeated


@dataclass(frozen=True)
class RecognitionSolution:
    """The true landmarks of the scored queries, in ascending order of their ids: the challenge orders equal confidences so.

    query_ids (n_query,) strings, usages (n_query,) "Public" or "Private"; query q shows landmarks[starts[q]:starts[q + 1]]
    (int64, in the label space of train.csv), or none of them.
    """

    query_ids: np.ndarray
    usages: np.ndarray
    landmarks: np.ndarray
    starts: np.ndarray

    def of_usage(self, usage: str) -> RecognitionSolution:
        """The queries of `usage` alone."""
        rows = np.flatnonzero(self.usages == usage)
        shown = [self.landmarks[self.starts[row] : self.starts[row + 1]] for row in rows]
        return RecognitionSolution(self.query_ids[rows], self.usages[rows], *_flat(shown))


@dataclass(frozen=True)
class Predictions:
    """For each query one landmark: ids (n,) strings, landmark_ids (n,) int64, confidences (n,) floating point, -inf = no prediction."""

    ids: np.ndarray
    landmark_ids: np.ndarray
    confidences: np.ndarray

    def for_ids(self, ids: np.ndarray) -> Predictions:
        """The predictions for `ids`, in that order; an id that is not among `self.ids` has no prediction."""
        rows = positions(ids, self.ids)
        return Predictions(ids, np.append(self.landmark_ids, 0)[rows], np.append(self.confidences, -np.inf)[rows])


def write_recognition_solution(
    path: Path, ids: Sequence[str] | np.ndarray, landmarks: Sequence[str], usages: Sequence[str] | np.ndarray
) -> None:
    """Write id,landmarks,Usage; `landmarks` are numbers separated by spaces, "" for a query that shows none."""
    write_csv(path, pd.DataFrame({"id": ids, "landmarks": landmarks, "Usage": usages}))


def read_recognition_solution(path: Path, test_ids: np.ndarray) -> RecognitionSolution:
    """Read id,landmarks,Usage and leave out the Ignored queries.

    Raises UserError for an unknown usage or query, a query given twice, and for a landmark that is not an integer.
    """
    table = read_csv(path, ["id", "landmarks", "Usage"])
    ids, usages = (np.asarray(table[name].to_pylist(), dtype=object) for name in ("id", "Usage"))
    refuse_repeated(ids, path)
    refuse_unknown_usages(usages, path)
    scored = np.flatnonzero(usages != "Ignored")
    refuse_unknown_queries(ids, scored, test_ids, path)
    scored = scored[np.argsort(ids[scored].astype(str), kind="stable")]
    texts = table["landmarks"].to_pylist()
    shown = [[_integer(word, path, row) for word in words(texts[row])] for row in scored.tolist()]
    return RecognitionSolution(ids[scored], usages[scored], *_flat(shown))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write id,landmarks with "label confidence", or nothing where there is no prediction; the digits bring float32 back exactly."""
    with atomic_write(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write("id,landmarks\n")
        for id, landmark, confidence in zip(predictions.ids, predictions.landmark_ids, predictions.confidences, strict=True):
            file.write(f"{id},{landmark} {confidence!s}\n" if confidence > -np.inf else f"{id},\n")


def read_predictions(path: Path, test_ids: np.ndarray) -> Predictions:
    """Read and validate a submission; its rows come back in the order of `test_ids`.

    Raises UserError for a query that is unknown, missing or given twice, and for a prediction that is not "label confidence":
    an integer and a finite number.
    """
    table = read_csv(path, ["id", "landmarks"])
    ids = np.asarray(table["id"].to_pylist(), dtype=object)
    refuse_repeated(ids, path)
    refuse_unknown_queries(ids, np.arange(len(ids)), test_ids, path)
    landmark_ids, confidences = np.zeros(len(ids), np.int64), np.full(len(ids), -np.inf)
    for row, text in enumerate(table["landmarks"].to_pylist()):
        parts = words(text)
        if not parts:
            continue
        confidence = number(parts[1]) if len(parts) == 2 else None
        if confidence is None:
            raise UserError(
                f"'{shown(text)}' is not a label and a confidence",
                where=f"{path}, row {row + 2}",
                next="write LABEL CONFIDENCE, or nothing",
            )
        landmark_ids[row], confidences[row] = _integer(parts[0], path, row), confidence
    absent = np.flatnonzero(positions(test_ids, ids) < 0)
    if len(absent):
        raise UserError(
            f"no row for query '{test_ids[absent[0]]}' ({len(absent)} queries without a row)",
            where=path,
            next="write a row for every id of test.csv; its landmarks may be empty",
        )
    return Predictions(ids, landmark_ids, confidences).for_ids(test_ids)


def _flat(rows: list) -> tuple[np.ndarray, np.ndarray]:
    """Rows of landmarks as one (sum of m,) int64 array, and where each begins: (rows + 1,) int64."""
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return np.array([landmark for row in rows for landmark in row], np.int64), starts


def _integer(word: str, path: Path, row: int) -> int:
    value = integer(word)
    if value is None:
        what = f"landmark '{shown(word)}' is not an integer"
        raise UserError(what, where=f"{path}, row {row + 2}", next="use the landmark_ids of train.csv")
    return value
