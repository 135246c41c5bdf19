"""Exact nearest neighbours by inner product. The only module that imports FAISS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from landmarks.ops.half import to_float32


def gpu_count() -> int:
    """How many GPUs FAISS can use."""
    import faiss

    return faiss.get_num_gpus()


def exact_knn(queries: np.ndarray, index: np.ndarray, neighbours: int, *, use_gpu: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The `neighbours` rows of `index` with the largest inner product, for each row of `queries`.

    queries (n_query, d) and index (n_index, d) float32
    Returns indices (n_query, neighbours) int32, -1 = none (fewer index rows than neighbours), and similarities
    (n_query, neighbours) float32, -inf = none; most similar first, equal similarities by index order.
    """
    blocks = list(knn_blocks(queries, index, neighbours, use_gpu=use_gpu))
    if not blocks:
        return np.empty((0, neighbours), np.int32), np.empty((0, neighbours), np.float32)
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


def knn_blocks(
    queries: np.ndarray, index: np.ndarray, neighbours: int, *, use_gpu: bool = False, block: int = 4096
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `exact_knn`, a block of queries at a time, so that the caller can show its progress."""
    if queries.ndim != 2 or index.ndim != 2 or queries.shape[1] != index.shape[1]:
        raise ValueError(f"queries {queries.shape} and index {index.shape} have different dimensions")
    found = min(neighbours, len(index))
    search = _searcher(index, use_gpu) if found else None
    for start in range(0, len(queries), block):
        part = np.ascontiguousarray(queries[start : start + block], dtype=np.float32)
        indices = np.full((len(part), neighbours), -1, np.int32)
        similarities = np.full((len(part), neighbours), -np.inf, np.float32)
        if search is not None:
            similarities[:, :found], indices[:, :found] = search(part, found)
            _order_ties(indices, similarities)
        yield indices, similarities


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
    if queries.ndim != 2 or index.ndim != 2 or queries.shape[1] != index.shape[1]:
        raise ValueError(f"queries {queries.shape} and index {index.shape} have different dimensions")
    indices = np.full((len(queries), neighbours), -1, np.int32)
    similarities = np.full((len(queries), neighbours), -np.inf, np.float32)
    wide = np.empty((min(block, len(index)), index.shape[1]), np.float32)  # the same memory for every block
    for start in range(0, len(index), block):
        part = wide[: min(block, len(index) - start)]
        to_float32(index[start : start + block], part)
        found, scores = exact_knn(queries, part, min(neighbours, len(part)), use_gpu=use_gpu)
        # Earlier blocks come first, so that a stable sort keeps equal similarities in index order.
        both = np.concatenate([similarities, scores], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :neighbours]
        similarities = np.take_along_axis(both, order, axis=1)
        indices = np.take_along_axis(np.concatenate([indices, found + np.int32(start)], axis=1), order, axis=1)
        on_block(len(part))
    return indices, similarities


def _searcher(index: np.ndarray, use_gpu: bool) -> Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    import faiss

    index = np.ascontiguousarray(index) if index.dtype == np.float32 else to_float32(index)
    if not use_gpu:
        return lambda queries, k: faiss.knn(queries, index, k, metric=faiss.METRIC_INNER_PRODUCT)
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True  # each card holds a part of the index, not a copy of it
    flat = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(index.shape[1]), options)
    flat.add(index)
    return flat.search


def _order_ties(indices: np.ndarray, similarities: np.ndarray) -> None:
    """Order equal similarities by index, in place: FAISS returns them in any order."""
    rows = (similarities[:, 1:] == similarities[:, :-1]).any(axis=1)
    if rows.any():
        order = np.lexsort((indices[rows], -similarities[rows]), axis=1)
        indices[rows] = np.take_along_axis(indices[rows], order, axis=1)
