"""Exact nearest neighbours by inner product. The only module that imports FAISS, which searches on CPUs; GPUs search with torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from landmarks.ops.half import to_float32
from landmarks.ops.ordering import best_first

if TYPE_CHECKING:
    from landmarks.ops.knn_torch import TorchIndex

Found = tuple[np.ndarray, np.ndarray]
Search = Callable[[np.ndarray, int], Found]
_TOGETHER = 4096  # queries
_BLOCK = 65536  # index rows that are in memory as float32 at once, and queries whose lists are merged at once
CANDIDATES = 4  # of a compressed index, for each neighbour: re-ranked exactly


class OpenedIndex(Protocol):
    def __call__(self, queries: np.ndarray, neighbours: int, on_done: Callable[[int], object] = ...) -> Found: ...


def exact_knn(queries: np.ndarray, index: np.ndarray, neighbours: int, *, use_gpu: bool = False) -> Found:
    """The `neighbours` rows of `index` with the largest inner product, for each row of `queries`.

    queries (n_query, d) and index (n_index, d) float32 or float16
    Returns indices (n_query, neighbours) int32, -1 = none (fewer index rows than neighbours), and similarities
    (n_query, neighbours) float32, -inf = none; most similar first, equal similarities by index order.
    """
    _require_same_width(queries, index)
    return open_index(index, expected=len(queries), use_gpu=use_gpu)(queries, neighbours)


def open_index(index: np.ndarray, *, expected: int | None = None, use_gpu: bool = False) -> OpenedIndex:
    """A function that returns as `exact_knn` does. The index is made ready once, for any number of calls.

    expected  queries of all calls together, of all processes that share them; None: many. For few of them less is made ready
    """
    found, together = _opened(index, expected, use_gpu)

    def search(queries: np.ndarray, neighbours: int, on_done: Callable[[int], object] = lambda queries: None) -> Found:
        """on_done: called with the number of queries, block by block."""
        _require_same_width(queries, index)
        kept = min(neighbours, len(index))
        indices = np.full((len(queries), neighbours), -1, np.int32)
        similarities = np.full((len(queries), neighbours), -np.inf, np.float32)
        for start in range(0, len(queries), together):
            part, rows = np.ascontiguousarray(queries[start : start + together], dtype=np.float32), slice(start, start + together)
            if kept:
                similarities[rows, :kept], indices[rows, :kept] = found(part, kept)
                _order_ties(indices[rows], similarities[rows])
            on_done(len(part))
        return indices, similarities

    return search


def streamed_knn(
    queries: np.ndarray,
    index: np.ndarray,
    neighbours: int,
    *,
    expected: int | None = None,
    use_gpu: bool = False,
    block: int = _BLOCK,
    on_block: Callable[[int], object] = lambda rows: None,
) -> Found:
    """As `exact_knn`, a block of index rows at a time: only that block is in memory as float32; `index` may be mapped from disk.

    expected  queries of all processes that share them; None: these alone
    on_block  called after each block with its number of index rows
    """
    _require_same_width(queries, index)
    if use_gpu and len(index) and len(queries):
        scores, found = _on_gpus(index).search(queries, neighbours, on_block)
        return _padded(scores, found, neighbours)

    expected = expected or len(queries)
    wide = np.empty((0, 0), np.float32)  # the same memory for every block

    def search(part: np.ndarray, kept: int) -> Found:
        nonlocal wide
        if not _bfloat16_pays(part, expected):
            wide = wide if len(wide) else np.empty((len(part), index.shape[1]), np.float32)
            part = to_float32(part, wide[: len(part)])
        return open_index(part, expected=expected)(queries, kept)

    return _in_blocks(index, len(queries), neighbours, block, search, on_block)


def compressed_knn(
    queries: np.ndarray, index: np.ndarray, neighbours: int, *, on_block: Callable[[int], object] = lambda rows: None, seed: int = 0
) -> Found:
    """As `exact_knn`, but approximate: an inverted file of product-quantised vectors (FAISS's IVFPQ), a byte for four dimensions.

    Of each query's best by the compressed index, CANDIDATES times as many as asked for, the similarities are computed exactly, and the
    best of those are returned. The index is in memory compressed; `index` may be mapped from disk.

    on_block  called with the number of queries, block by block
    """
    import faiss

    _require_same_width(queries, index)
    lists = max(1, min(4 * round(len(index) ** 0.5), len(index) // 40))
    trained_on = np.sort(np.random.default_rng(seed).permutation(len(index))[: 256 * max(lists, 256)])
    parts = next(count for count in range(max(1, index.shape[1] // 4), 0, -1) if index.shape[1] % count == 0)
    bits = 8 if len(trained_on) >= 1024 else 4
    compressed = faiss.IndexIVFPQ(faiss.IndexFlatIP(index.shape[1]), index.shape[1], lists, parts, bits, faiss.METRIC_INNER_PRODUCT)
    compressed.cp.seed = compressed.pq.cp.seed = seed
    compressed.train(to_float32(index[trained_on]))
    for start in range(0, len(index), 65536):
        compressed.add(to_float32(index[start : start + 65536]))
    compressed.nprobe = min(lists, max(16, lists // 16))
    indices = np.full((len(queries), neighbours), -1, np.int32)
    similarities = np.full((len(queries), neighbours), -np.inf, np.float32)
    for start in range(0, len(queries), _TOGETHER // 16):
        part = np.ascontiguousarray(queries[start : start + _TOGETHER // 16], dtype=np.float32)
        found = compressed.search(part, min(CANDIDATES * neighbours, len(index)))[1]
        exact = np.einsum("qkd,qd->qk", index[found].astype(np.float32), part)
        best, scores = (of[:, :neighbours] for of in best_first(found, exact))
        rows = slice(start, start + len(part))
        indices[rows, : best.shape[1]], similarities[rows, : best.shape[1]] = best, scores
        _order_ties(indices[rows], similarities[rows])
        on_block(len(part))
    return indices, similarities


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """The share of the exact neighbours (n, k) that is among those found (n, k); -1 = none in either."""
    wanted = exact >= 0
    hits = sum(np.isin(row, other).sum() for row, other in zip(np.where(wanted, exact, -2), found, strict=True))
    return float(hits / max(1, wanted.sum()))


def _opened(index: np.ndarray, expected: int | None, use_gpu: bool) -> tuple[Search, int]:
    if len(index) == 0:
        return lambda queries, k: (np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int32)), _TOGETHER
    if use_gpu:
        on_gpus = _on_gpus(index)
        return on_gpus.search, on_gpus.together
    if _bfloat16_pays(index, expected):
        return _in_bfloat16(index), _TOGETHER
    wide = _as_float32(index)
    return lambda queries, k: _in_float32(queries, wide, k), _TOGETHER


def _bfloat16_pays(index: np.ndarray, expected: int | None) -> bool:
    """Measured (EXPERIMENTS.md); by sizes and the processor alone, so that a search gives the same numbers each time."""
    if len(index) < 16384 or index.shape[1] < 64 or (expected is not None and expected < 64):
        return False
    from landmarks.ops.knn_bfloat16 import has_products

    return has_products()


def _in_bfloat16(index: np.ndarray) -> Search:
    from landmarks.ops.knn_bfloat16 import MOST, Bfloat16Index

    narrow = Bfloat16Index(index)

    def by_blocks(queries: np.ndarray, k: int) -> Found:
        indices, similarities = _in_blocks(
            index, len(queries), k, _BLOCK, lambda part, kept: _in_float32(queries, _as_float32(part), kept)[::-1]
        )
        return similarities, indices

    def search(queries: np.ndarray, k: int) -> Found:
        if k > min(MOST, len(index) // 16):
            return by_blocks(queries, k)
        similarities, indices, settled = narrow.search(queries, k)
        if not settled.all():
            similarities[~settled], indices[~settled] = by_blocks(queries[~settled], k)
        return similarities, indices

    return search


def _in_float32(queries: np.ndarray, index: np.ndarray, k: int) -> Found:
    import faiss

    return faiss.knn(queries, index, k, metric=faiss.METRIC_INNER_PRODUCT)


def _as_float32(matrix: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(matrix) if matrix.dtype == np.float32 else to_float32(matrix)


def _in_blocks(
    index: np.ndarray,
    queries: int,
    neighbours: int,
    block: int,
    search: Search,
    on_block: Callable[[int], object] = lambda rows: None,
) -> Found:
    """Indices and similarities (queries, neighbours) from those that `search` finds in each block of the index, of at most its rows."""
    indices = np.full((queries, neighbours), -1, np.int32)
    similarities = np.full((queries, neighbours), -np.inf, np.float32)
    for start in range(0, len(index), block):
        part = index[start : start + block]
        found, scores = search(part, min(neighbours, len(part)))
        for first in range(0, queries, _BLOCK):  # so that what is sorted takes little memory
            rows = slice(first, first + _BLOCK)
            # Earlier blocks come first, so that a stable sort keeps equal similarities in index order.
            both = np.concatenate([similarities[rows], scores[rows]], axis=1)
            order = np.argsort(-both, axis=1, kind="stable")[:, :neighbours]
            similarities[rows] = np.take_along_axis(both, order, axis=1)
            indices[rows] = np.take_along_axis(np.concatenate([indices[rows], found[rows] + np.int32(start)], axis=1), order, axis=1)
        on_block(len(part))
    return indices, similarities


def _on_gpus(index: np.ndarray) -> TorchIndex:
    import torch

    from landmarks.cuda import own_cards
    from landmarks.ops.knn_torch import TorchIndex

    return TorchIndex(index, [torch.device("cuda", card) for card in own_cards()])


def _padded(similarities: np.ndarray, indices: np.ndarray, neighbours: int) -> Found:
    lacking = ((0, 0), (0, neighbours - indices.shape[1]))
    indices = np.pad(indices, lacking, constant_values=-1)
    similarities = np.pad(similarities, lacking, constant_values=-np.inf)
    _order_ties(indices, similarities)
    return indices, similarities


def _require_same_width(queries: np.ndarray, index: np.ndarray) -> None:
    if queries.ndim != 2 or index.ndim != 2 or queries.shape[1] != index.shape[1]:
        raise ValueError(f"queries {queries.shape} and index {index.shape} have different dimensions")


def _order_ties(indices: np.ndarray, similarities: np.ndarray) -> None:
    """Order equal similarities by index, in place: they are found in any order."""
    rows = (similarities[:, 1:] == similarities[:, :-1]).any(axis=1)
    if rows.any():
        order = np.lexsort((indices[rows], -similarities[rows]), axis=1)
        indices[rows] = np.take_along_axis(indices[rows], order, axis=1)
