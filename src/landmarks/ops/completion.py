"""The rank of an image in the complete ranking, of which a list is only the beginning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landmarks.ops.half import to_float32

_PAIRS = 1 << 27  # similarities in memory at once: 0.5 GB
_BLOCK = 8192  # index rows converted to float32 at a time, few enough to stay in the cache


def complete_ranks(
    indices: np.ndarray, queries: np.ndarray, index: np.ndarray, wanted: Sequence[np.ndarray], batch: int | None = None
) -> list[np.ndarray]:
    """The ranks of the wanted images: behind each list all other index images follow in the order of their similarity.

    indices  (n_query, k) int32, best first, -1 = none: the lists
    queries  (n_query, d) and index (n_index, d) floating point, which may be mapped from disk: it is read in blocks
    wanted   for each query the numbers of index images (m,)
    batch    queries whose similarities to the whole index are in memory at once, 4 bytes a pair; None = as many as fit 0.5 GB

    Returns for each query (m,) int64, 0 = first. Equal similarities by index order.
    """
    ranks, batch = [], batch or max(1, _PAIRS // max(1, len(index)))
    for start in range(0, len(queries), batch):
        part = slice(start, start + batch)
        places = [_listed_places(row, images) for row, images in zip(indices[part], wanted[part], strict=True)]
        if any((listed < 0).any() for listed in places):
            similarities = _similarities(queries[part], index)
            for query in zip(places, indices[part], similarities, wanted[part], strict=True):
                _rank_unlisted(*query)
        ranks += places
    return ranks


def _similarities(queries: np.ndarray, index: np.ndarray) -> np.ndarray:
    queries = queries.astype(np.float32)
    result = np.empty((len(queries), len(index)), np.float32)
    wide = np.empty((min(_BLOCK, len(index)), queries.shape[1]), np.float32)  # the same memory for every block
    for start in range(0, len(index), _BLOCK):
        block = index[start : start + _BLOCK]
        result[:, start : start + _BLOCK] = queries @ to_float32(block, wide[: len(block)]).T
    return result


def _listed_places(row: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The place of each wanted image (m,) in the list, -1 where it is not in it."""
    listed = row[row >= 0]
    places = np.full(len(wanted), -1, np.int64)
    order = np.argsort(listed)
    found = np.searchsorted(listed, wanted, sorter=order)
    inside = found < len(listed)
    inside[inside] = listed[order[found[inside]]] == wanted[inside]
    places[inside] = order[found[inside]]
    return places


def _rank_unlisted(places: np.ndarray, row: np.ndarray, similarities: np.ndarray, wanted: np.ndarray) -> None:
    """Replace each -1 in `places` by the rank behind the list; overwrites the similarities (n_index,) of the listed images."""
    listed, unlisted = row[row >= 0], places < 0
    if unlisted.any():
        similarities[listed] = -np.inf  # the list is ahead of all others in any case
        places[unlisted] = len(listed) + _better(similarities, wanted[unlisted])


def _better(similarities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How many images rank before each of the wanted ones (m,): those more similar, and those equally similar with a lower number.

    Only counts between the wanted similarities: a full sort of a million images takes ten times as long.
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
