"""The measure of the Google Landmarks recognition challenge, on arrays: global average precision (micro average precision)."""

from __future__ import annotations

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
