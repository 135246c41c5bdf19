"""The two stages of discriminative re-ranking (Yokoo et al., section 3.3): sort, then insert."""

from __future__ import annotations

import numba
import numpy as np

from landmarks.ops.voting import Votes


def sort_step(indices: np.ndarray, query_votes: Votes, index_votes: Votes) -> np.ndarray:
    """Images of the query's label first, the others behind them; both keep their order.

    indices      (n_query, k) int32, best first, -1 = none
    query_votes  (n_query,), index_votes (n_index,)
    Returns (n_query, k) int32. A query without a label (-1) keeps its row.
    """
    return _sort(indices, query_votes.labels, index_votes.labels)


def insert_step(indices: np.ndarray, query_votes: Votes, index_votes: Votes, threshold: float) -> np.ndarray:
    """Index images of the query's label that were not retrieved, placed behind those that were.

    Taken where query score + image score > threshold, the highest image score first (equal scores: index order),
    placed behind the row's images of that label and before all others; the row is cut at its length k.
    A row that the sort-step did not order is partitioned here too, since the images inserted go behind those of the label.

    Shapes as in `sort_step`; scores are compared in float32.
    """
    order = np.lexsort((-index_votes.scores, index_votes.labels))  # stable: equal scores stay in index order
    labels = index_votes.labels[order]
    starts = np.searchsorted(labels, query_votes.labels, side="left")
    ends = np.where(query_votes.labels < 0, starts, np.searchsorted(labels, query_votes.labels, side="right"))
    return _insert(
        indices,
        query_votes.labels,
        query_votes.scores,
        index_votes.labels,
        index_votes.scores,
        order,
        starts,
        ends,
        np.float32(threshold),
        numba.get_num_threads(),
    )


@numba.njit(cache=True, nogil=True, parallel=True)
def _sort(indices, query_labels, index_labels):
    queries, k = indices.shape
    result = np.empty_like(indices)
    for query in numba.prange(queries):
        label, place = query_labels[query], 0
        if label < 0:
            result[query] = indices[query]
            continue
        for same in (True, False):
            for image in indices[query]:
                if (image >= 0 and index_labels[image] == label) == same:
                    result[query, place] = image
                    place += 1
    return result


@numba.njit(cache=True, nogil=True, parallel=True)
def _insert(indices, query_labels, query_scores, index_labels, index_scores, order, starts, ends, threshold, workers):
    queries, k = indices.shape
    result = np.full_like(indices, -1)
    for worker in numba.prange(workers):
        # One mark per index image, "retrieved by query number": one read to check, and no reset between queries.
        retrieved_by = np.full(len(index_labels), -1, np.int32)
        for query in range(worker, queries, workers):
            label, place = query_labels[query], 0
            for image in indices[query]:
                if image >= 0:
                    retrieved_by[image] = query
                    if label >= 0 and index_labels[image] == label:
                        result[query, place] = image
                        place += 1
            for position in range(starts[query], ends[query]):
                image = order[position]
                if place == k or not query_scores[query] + index_scores[image] > threshold:
                    break
                if retrieved_by[image] != query:
                    result[query, place] = image
                    place += 1
            for image in indices[query]:
                if place == k:
                    break
                if image >= 0 and (label < 0 or index_labels[image] != label):
                    result[query, place] = image
                    place += 1
    return result
