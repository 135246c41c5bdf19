"""The measure of the Google Landmarks recognition challenge, on arrays: global average precision (micro average precision)."""

from __future__ import annotations

import numba
import numpy as np


def correct_predictions(labels: np.ndarray, confidences: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray) -> np.ndarray:
    """(n_query,) bool: whether each query's prediction is one of its landmarks.

    labels         (n_query,) integers, the landmark predicted for each query
    confidences    (n_query,) floating point, comparable between queries; -inf = no prediction
    truth          (sum of m,) integers: the landmarks that the queries show, query after query
    truth_offsets  (n_query + 1,) int64: query q's landmarks are truth[offsets[q]:offsets[q + 1]]; none = a distractor
    """
    queries = np.repeat(np.arange(len(labels)), np.diff(truth_offsets))
    named = np.bincount(queries[truth == labels[queries]], minlength=len(labels)) > 0
    return named & (confidences > -np.inf)


def micro_average_precision(
    labels: np.ndarray, confidences: np.ndarray, truth: np.ndarray, truth_offsets: np.ndarray, *, distractors: bool = True
) -> float:
    """GAP: the predictions of all queries in one list, by confidence; sum of precision(i) * correct(i) over the answerable queries.

    distractors  False leaves out the queries without a landmark and their predictions

    Shapes as in `correct_predictions`. Predictions of equal confidence are in the order of the queries; the challenge sorts those
    by id. A query without a prediction takes no place in the list, but counts among the answerable ones if it has a landmark.
    NaN where no query has one. Source: the challenge's definition, with one prediction a query.
    """
    answerable = np.diff(truth_offsets) > 0
    if not answerable.any():
        return float("nan")
    listed = np.flatnonzero((confidences > -np.inf) & (answerable | distractors))
    order = listed[np.argsort(-confidences[listed], kind="stable")]
    correct = correct_predictions(labels, confidences, truth, truth_offsets)[order]
    precision = np.cumsum(correct) / np.arange(1, len(order) + 1)
    return float((precision * correct).sum() / answerable.sum())


def resampled_precisions(correct: np.ndarray, confidences: np.ndarray, answerable: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """GAP of queries that occur several times, or not at all: (b,) float64, NaN where none that has a landmark occurs.

    correct      (n_query,) bool, as of `correct_predictions`
    confidences  (n_query,) floating point, -inf = no prediction
    answerable   (n_query,) bool, whether the query has a landmark
    counts       (b, n_query): how often each query occurs in each of b samples

    A query's copies follow each other in the list. With counts of 1 it is `micro_average_precision`.
    """
    listed = np.flatnonzero(confidences > -np.inf)
    order = listed[np.argsort(-confidences[listed], kind="stable")]
    sums = _precision_sums(correct[order], order, np.asarray(counts, np.int64))
    possible = counts @ answerable.astype(np.float64)
    return np.divide(sums, possible, out=np.full(len(sums), np.nan), where=possible > 0)


@numba.njit(cache=True, nogil=True)
def _precision_sums(correct, order, counts):
    sums = np.zeros(len(counts))
    for sample in range(len(counts)):
        right = place = 0
        for rank in range(len(order)):
            times = counts[sample, order[rank]]
            if not correct[rank]:
                place += times
                continue
            for _ in range(times):
                right += 1
                place += 1
                sums[sample] += right / place
    return sums
