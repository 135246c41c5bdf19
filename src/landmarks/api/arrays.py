"""Re-ranking and scoring of arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import Chain, Step, read_chain, require_places
from landmarks.errors import UserError, shown
from landmarks.metrics.google_landmarks import average_precision, precision_at
from landmarks.ops.half import to_float16
from landmarks.ops.vectors import l2_normalise, learn_whitening
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.search.descriptor_source import refuse_alike
from landmarks.search.spaces import search_on_gpu
from landmarks.store.descriptors import check_descriptors
from landmarks.store.tables import SPLITS

MAX_ROWS = 100_000_000  # of an index whose size a ranking does not say


def rerank_arrays(
    test: np.ndarray,
    index: np.ndarray,
    train: np.ndarray | None = None,
    labels: Sequence[int] | np.ndarray | None = None,
    *,
    chain: str | Sequence[Any] = (),
    neighbours: int = 100,
    whiten: int = 0,
    test_ids: Sequence[str] | None = None,
    index_ids: Sequence[str] | None = None,
    device: str = "auto",
) -> Ranking:
    """Search `index` for every row of `test`, and re-rank what is found.

    test        (n_query, d) floating point: descriptors of the queries, of any length
    index       (n_index, d)
    train       (n_train, d) and labels (n_train,) integers: training images and their landmarks, for the steps that learn
    chain       names, such as "sort,insert"; or steps: ["sort", {"step": "insert", "threshold": 0.5}, MyStep(weight=2)]
    neighbours  images in each list
    whiten      dimensions of a PCA whitening learned on train; 0 = none
    test_ids    (n_query,) and index_ids (n_index,) strings; unset: row numbers
    device      "auto", "cpu" or "cuda", for the search

    Returns the same ranking as the command line makes of these arrays. Raises UserError for arrays that do not fit or hold NaN, for a
    step that needs labels where there are none, and for an unknown step.

    >>> import numpy as np
    >>> import landmarks as lm
    >>> index = np.eye(4)
    >>> test = index[[2, 0]] + 0.1
    >>> lm.rerank_arrays(test, index, neighbours=2).indices[:, 0].tolist()
    [2, 0]
    >>> lm.rerank_arrays(test, index, index, [5, 5, 7, 7], chain="sort", neighbours=3)
    Ranking of 2 queries over 4 index images, 3 in each list
    """
    steps = read_chain(chain if isinstance(chain, str) else list(chain))
    arrays = {"test": test, "index": index, "train": np.asarray(index)[:0] if train is None else train}
    vectors = {split: _checked(split, array) for split, array in arrays.items()}
    for split in ("test", "index"):
        if len(vectors[split]) == 0:
            raise UserError(f"{split} has no rows: there is nothing to search", where=split, next="one row an image")
    landmark_ids = _labels([] if labels is None else labels)
    if len(landmark_ids) != len(vectors["train"]):
        raise UserError(
            f"{len(landmark_ids)} labels for {len(vectors['train'])} training images", where="labels", next="one a row of train"
        )
    learning = next((step.step for step in steps if step.learns), None)
    if learning is not None and len(landmark_ids) == 0:
        raise UserError(
            f"the step {learning} learns from training images", where="chain", next="train=... and labels=..., or another chain"
        )
    require_places(steps, neighbours)
    before = {split: l2_normalise(rows) for split, rows in vectors.items()}
    searched = before
    if whiten:
        refuse_alike(before["train"], "whitening is learned on train, whose", Path("train"))
        whitening = learn_whitening(before["train"], whiten)
        searched = {split: whitening(rows) for split, rows in before.items()}
    for split in ("index", "train"):
        refuse_alike(searched[split], f"the {split}", Path(split))
    space = Space.from_splits({split: to_float16(rows) for split, rows in searched.items()})
    context = Context(space, landmark_ids, before.__getitem__, search_on_gpu(device)[0])
    names = (_names(test_ids, len(space.test)), _names(index_ids, len(space.index)))
    return apply_chain(steps, context, context.search_first(*names, neighbours))


def apply_chain(chain: Chain, context: Context, ranking: Ranking) -> Ranking:
    """The ranking after every step of the chain, in memory, with vectors as precise as a run keeps them (float16)."""
    for place, step in enumerate(chain):
        ranking = step.apply(ranking, context.after(chain[:place]))
        if ranking.space is not None:
            ranking = replace(ranking, space=_as_kept(ranking.space))
    return ranking


def _as_kept(space: Space) -> Space:
    vectors = {split: space.vectors(split) for split in SPLITS}
    if all(rows.dtype == np.float16 for rows in vectors.values()):
        return space
    return Space.from_splits({split: rows if rows.dtype == np.float16 else to_float16(rows) for split, rows in vectors.items()})


@dataclass(frozen=True)
class RankingScores:
    """What a ranking is worth, from 0 to 1.

    mean_average_precision  mean of average_precision over the queries that have a true image
    average_precision       (n_query,) float64 of each query, NaN where it has no true image
    precision_at_1, precision_at_10  means over the same queries
    """

    mean_average_precision: float
    precision_at_1: float
    precision_at_10: float
    average_precision: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        names = ("mean_average_precision", "precision_at_1", "precision_at_10")
        return f"RankingScores({', '.join(f'{name}={getattr(self, name):.4f}' for name in names)})"


def score_ranking(
    ranking: Ranking | np.ndarray, truth: Sequence[Sequence[Any]] | Mapping[str, Sequence[Any]], *, at: int = 100
) -> RankingScores:
    """Score a ranking as the Google Landmarks challenge does (mAP@100, metrics/google_landmarks.py).

    ranking  a Ranking, or rows of index images (n_query, k) integers, best first, -1 = none
    truth    for every query its true index images: row numbers in the order of the queries; or query id -> index ids, for a Ranking.
             An image that is named twice counts once
    at       images of each list that count

    Raises UserError where no query has a true image, for an id that the ranking does not know, and for numbers that are no rows.

    >>> import landmarks as lm
    >>> import numpy as np
    >>> lm.score_ranking(np.array([[1, 0, 2]]), [[0, 2]])
    RankingScores(mean_average_precision=0.5833, precision_at_1=0.0000, precision_at_10=0.2000)
    """
    images = len(ranking.index_ids) if isinstance(ranking, Ranking) else MAX_ROWS
    indices = ranking.indices if isinstance(ranking, Ranking) else _row_numbers(ranking, -1, images, "ranking")
    if indices.ndim != 2:
        raise UserError(f"a ranking has rows (n_query, k), not {indices.shape}", where="ranking", next="one row a query")
    rows = _rows_of(ranking, truth) if isinstance(truth, Mapping) else [_row_numbers(one, 0, images, "truth") for one in truth]
    rows = [np.unique(one) for one in rows]
    if len(rows) != len(indices):
        raise UserError(f"truth for {len(rows)} queries, and {len(indices)} in the ranking", where="truth", next="one list a query")
    counts = np.array([len(one) for one in rows], np.int64)
    scored = counts > 0
    if not scored.any():
        raise UserError("no query has a true image: there is nothing to score", where="truth", next="row numbers or ids of index images")
    case = (indices.astype(np.int32), np.concatenate(rows).astype(np.int32), np.concatenate([[0], np.cumsum(counts)]))
    precisions = np.where(scored, average_precision(*case, at), np.nan)
    first, ten = (float(precision_at(*case, cut)[scored].mean()) for cut in (1, 10))
    return RankingScores(float(np.nanmean(precisions)), first, ten, precisions)


def _labels(values: Any) -> np.ndarray:
    labels = np.asarray(values)
    if labels.ndim != 1 or (labels.size and not np.issubdtype(labels.dtype, np.integer)):
        raise UserError(f"labels are whole numbers (n_train,), not {labels.dtype} {labels.shape}", where="labels", next="convert them")
    return labels.astype(np.int64)


def _row_numbers(values: Any, least: int, images: int, where: str) -> np.ndarray:
    """The values as int64. Raises UserError for what is no whole number from `least` to images - 1."""
    numbers = np.asarray(values)
    if numbers.size == 0:  # an empty list is an array of floats
        return numbers.astype(np.int64)
    if not np.issubdtype(numbers.dtype, np.integer) or numbers.min() < least or numbers.max() >= images:
        raise UserError(f"row numbers of index images are whole numbers from {least} to {images - 1:,}", where=where, next="correct them")
    return numbers.astype(np.int64)


def _checked(split: str, array: np.ndarray) -> np.ndarray:
    matrix = np.asarray(array)
    return check_descriptors(None, matrix, Path(split)) if matrix.size or matrix.ndim != 2 else matrix


def _names(ids: Sequence[str] | None, count: int) -> np.ndarray:
    names = np.arange(count).astype(str).astype(object) if ids is None else np.asarray(ids, dtype=object)
    if len(names) != count or len(set(names.tolist())) != count:
        raise UserError(f"{len(names)} ids, {len(set(names.tolist()))} of them different, for {count} rows", next="one id a row, each once")
    return names


def _rows_of(ranking: Ranking | np.ndarray, truth: Mapping[str, Sequence[Any]]) -> list[np.ndarray]:
    if not isinstance(ranking, Ranking):
        raise UserError("truth by ids is for a Ranking, which knows them", where="truth", next="give row numbers, a list a query")
    number_of = {id: number for number, id in enumerate(ranking.index_ids.tolist())}
    queries = set(ranking.query_ids.tolist())
    for query in truth:
        if query not in queries:
            raise UserError(f"unknown query '{shown(query)}'", where="truth", next="ids of ranking.query_ids")
    unknown = next((id for ids in truth.values() for id in ids if id not in number_of), None)
    if unknown is not None:
        raise UserError(f"unknown index image '{shown(unknown)}'", where="truth", next="ids of ranking.index_ids")
    return [np.array([number_of[id] for id in truth.get(query, ())], np.int64) for query in ranking.query_ids.tolist()]


__all__ = ["RankingScores", "Step", "apply_chain", "rerank_arrays", "score_ranking"]
