"""What a ranking on disk earns against the solution, query by query."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks.metrics.google_landmarks import average_precision
from landmarks.store.rankings import read_ranking
from landmarks.store.solution import Solution
from landmarks.store.submission import MOST_IMAGES
from landmarks.store.tables import Tables, positions


def predicted_images(folder: Path, tables: Tables, solution: Solution) -> np.ndarray:
    """(n_query, at most 100) image numbers in the order of index.csv, for the solution's queries; -1 = none."""
    ranking = read_ranking(folder)
    if len(ranking.query_ids) == 0:
        return np.full((len(solution.query_ids), 1), -1)
    numbers = np.append(positions(ranking.index_ids, tables.index_ids), -1)  # the last one is where -1 points to
    rows = positions(solution.query_ids, ranking.query_ids)
    predicted = numbers[ranking.indices[rows, :MOST_IMAGES]]
    predicted[rows < 0] = -1
    return predicted


def average_precisions(predicted: np.ndarray, solution: Solution) -> np.ndarray:
    """AP@100 of each of the solution's queries, (n_query,) float64 from 0 to 1."""
    return average_precision(predicted, solution.truth.numbers, solution.truth.starts, MOST_IMAGES)


def in_percent(precisions: np.ndarray) -> np.ndarray:
    """As they are written: percent, four decimals."""
    return (100 * precisions).round(4)


def mean(values: np.ndarray) -> float | None:
    """As it is written: four decimals; None of nothing."""
    return round(float(np.mean(values)), 4) if len(values) else None
