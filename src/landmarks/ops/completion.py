"""Where an image stands in the whole ranking of which a list is the beginning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landmarks.ops.half import to_float32

_PAIRS = 1 << 27
_BLOCK = 8192  # index rows turned into float32 at a time, few enough to stay in the cache


def complete_ranks(
    indices: np.ndarray, queries: np.ndarray, index: np.ndarray, wanted: Sequence[np.ndarray], at_once: int | None = None
) -> list[np.ndarray]:
    """The ranks of the wanted images: behind each list all other index images follow in the order of their similarity.

    indices  (n_query, k) int32, best first, -1 = none: the lists
    queries  (n_query, d) and index (n_index, d) floating point, which may be mapped from disk: it is read in blocks
    wanted   for each query the numbers of index images (m,)
    at_once  queries whose similarities to all of the index are in memory, 4 bytes a pair; unless told, as many as take 0.5 GB

    Returns for each query (m,) int64, 0 = first. Equal similarities by index order.
    """
    ranks, at_once = [], at_once or max(1, _PAIRS // max(1, len(index)))
    for start in range(0, len(queries), at_once):
        part = slice(start, start + at_once)
        if all(np.isin(images, row).all() for images, row in zip(wanted[part], indices[part], strict=True)):
            similarities = [None] * len(indices[part])  # nothing stands behind the lists that anyone asks for
        else:
            similarities = _similarities(queries[part], index)
        ranks += [_ranks(*one) for one in zip(indices[part], similarities, wanted[part], strict=True)]
    return ranks


def _similarities(queries: np.ndarray, index: np.ndarray) -> np.ndarray:
    queries = queries.astype(np.float32)
    result = np.empty((len(queries), len(index)), np.float32)
    wide = np.empty((min(_BLOCK, len(index)), queries.shape[1]), np.float32)  # the same memory for every block: new one costs more
    for start in range(0, len(index), _BLOCK):
        block = index[start : start + _BLOCK]
        result[:, start : start + _BLOCK] = queries @ to_float32(block, wide[: len(block)]).T
    return result


def _ranks(row: np.ndarray, similarities: np.ndarray | None, wanted: np.ndarray) -> np.ndarray:
    listed = row[row >= 0]
    places = np.full(len(wanted), -1, np.int64)
    order = np.argsort(listed)
    found = np.searchsorted(listed, wanted, sorter=order)
    inside = found < len(listed)
    inside[inside] = listed[order[found[inside]]] == wanted[inside]
    places[inside] = order[found[inside]]
    if not inside.all():
        similarities[listed] = -np.inf  # no longer asked for; nothing finite stands behind it
        places[~inside] = len(listed) + _better(similarities, wanted[~inside])
    return places


def _better(similarities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How many images stand before each of the wanted ones (m,): those more similar, and those as similar of a lower number.

    Counted between the wanted similarities: a sort of all would take ten times as long for a million images.
    """
    limits = np.sort(similarities[wanted])
    near = np.flatnonzero(similarities >= limits[0])
    values = similarities[near]
    below = np.searchsorted(limits, values)  # how many of the limits each image exceeds
    exceeding = len(values) - np.cumsum(np.bincount(below, minlength=len(limits) + 1))[:-1]  # images above each limit
    tied = near[limits[np.minimum(below, len(limits) - 1)] == values]
    own = similarities[wanted]
    ahead = (similarities[tied][None, :] == own[:, None]) & (tied[None, :] < wanted[:, None])
    return exceeding[np.searchsorted(limits, own)] + ahead.sum(axis=1)
