"""Exact nearest neighbours by inner product. The only module that imports FAISS, which searches on CPUs; GPUs search with torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from landmarks.ops.half import to_float32
from landmarks.ops.ordering import best_first

if TYPE_CHECKING:
    from landmarks.ops.knn_torch import TorchIndex

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
_TOGETHER = 4096  # queries
CANDIDATES = 4  # of a compressed index, for each neighbour: re-ranked exactly


def exact_knn(queries: np.ndarray, index: np.ndarray, neighbours: int, *, use_gpu: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The `neighbours` rows of `index` with the largest inner product, for each row of `queries`.

    queries (n_query, d) and index (n_index, d) float32 or float16
    Returns indices (n_query, neighbours) int32, -1 = none (fewer index rows than neighbours), and similarities
    (n_query, neighbours) float32, -inf = none; most similar first, equal similarities by index order.
    """
    blocks = list(knn_blocks(queries, index, neighbours, use_gpu=use_gpu))
    if not blocks:
        return np.empty((0, neighbours), np.int32), np.empty((0, neighbours), np.float32)
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


def knn_blocks(
    queries: np.ndarray, index: np.ndarray, neighbours: int, *, use_gpu: bool = False, block: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `exact_knn`, a block of queries at a time, so that the caller can show its progress; None: as many as the processor likes."""
    _require_same_width(queries, index)
    search, together = open_index(index, use_gpu=use_gpu)
    block = block or together
    for start in range(0, len(queries), block):
        yield search(queries[start : start + block], neighbours)


def open_index(index: np.ndarray, *, use_gpu: bool = False) -> tuple[Search, int]:
    """A function of queries and a number of neighbours, which returns as `exact_knn` does, and how many queries it likes at a time.

    The index is made ready once, for any number of calls.
    """
    found, together = _opened(index, use_gpu)

    def search(queries: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
        _require_same_width(queries, index)
        kept = min(neighbours, len(index))
        if not kept or not len(queries):
            return np.full((len(queries), neighbours), -1, np.int32), np.full((len(queries), neighbours), -np.inf, np.float32)
        scores, places = found(np.ascontiguousarray(queries, dtype=np.float32), kept)
        return _padded(scores, places.astype(np.int32, copy=False), neighbours)

    return search, together


def streamed_knn(
    queries: np.ndarray,
    index: np.ndarray,
    neighbours: int,
    *,
    use_gpu: bool = False,
    block: int = 65536,
    on_block: Callable[[int], object] = lambda rows: None,
) -> tuple[np.ndarray, np.ndarray]:
    """As `exact_knn`, a block of index rows at a time: only that block is in memory as float32; `index` may be mapped from disk.

    on_block  called after each block with its number of index rows
    """
    _require_same_width(queries, index)
    if use_gpu and len(index) and len(queries):
        scores, found = _on_gpus(index).search(queries, neighbours, on_block)
        return _padded(scores, found, neighbours)
    indices = np.full((len(queries), neighbours), -1, np.int32)
    similarities = np.full((len(queries), neighbours), -np.inf, np.float32)
    wide = np.empty((min(block, len(index)), index.shape[1]), np.float32)  # the same memory for every block
    for start in range(0, len(index), block):
        part = wide[: min(block, len(index) - start)]
        to_float32(index[start : start + block], part)
        found, scores = exact_knn(queries, part, min(neighbours, len(part)))
        # Earlier blocks come first, so that a stable sort keeps equal similarities in index order.
        both = np.concatenate([similarities, scores], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :neighbours]
        similarities = np.take_along_axis(both, order, axis=1)
        indices = np.take_along_axis(np.concatenate([indices, found + np.int32(start)], axis=1), order, axis=1)
        on_block(len(part))
    return indices, similarities


def compressed_knn(
    queries: np.ndarray, index: np.ndarray, neighbours: int, *, on_block: Callable[[int], object] = lambda rows: None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
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


def _opened(index: np.ndarray, use_gpu: bool) -> tuple[Search, int]:
    if len(index) == 0:
        return lambda queries, k: (np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int32)), _TOGETHER
    if use_gpu:
        on_gpus = _on_gpus(index)
        return on_gpus.search, on_gpus.together
    import faiss

    wide = np.ascontiguousarray(index) if index.dtype == np.float32 else to_float32(index)
    return lambda queries, k: faiss.knn(queries, wide, k, metric=faiss.METRIC_INNER_PRODUCT), _TOGETHER


def _on_gpus(index: np.ndarray) -> TorchIndex:
    import torch

    from landmarks.cuda import own_cards
    from landmarks.ops.knn_torch import TorchIndex

    return TorchIndex(index, [torch.device("cuda", card) for card in own_cards()])


def _padded(similarities: np.ndarray, indices: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
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
