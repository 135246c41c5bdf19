"""Exact search on CPUs beside FAISS, torch and numpy, and beside the products alone.

    python benchmarks/knn.py                          clustered vectors: 60,000 x 512 and 100,000 x 256
    python benchmarks/knn.py --descriptors FOLDER     the descriptors of a folder as well: index.npy and test.npy

Seconds of the processor of one thread, the best of three rounds in which all ways take turns. All must find the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numba
import numpy as np
import torch

from landmarks.ops.half import to_float32
from landmarks.ops.knn import open_index
from landmarks.ops.knn_bfloat16 import has_products
from landmarks.ops.vectors import l2_normalise

NEIGHBOURS, BLOCK = 100, 1024
Found = tuple[np.ndarray, np.ndarray]


def clustered(rows: int, columns: int, seed: int) -> np.ndarray:
    """Groups of 30 or so, as images of a landmark are."""
    rng = np.random.default_rng(0)
    centres = l2_normalise(rng.standard_normal((2000, columns)))
    rng = np.random.default_rng(seed)
    return l2_normalise(centres[rng.integers(0, 2000, rows)] + 1.2 * l2_normalise(rng.standard_normal((rows, columns))))


def with_faiss(queries: np.ndarray, index: np.ndarray) -> Found:
    scores, indices = faiss.knn(queries, index, NEIGHBOURS, metric=faiss.METRIC_INNER_PRODUCT)
    return indices, scores


def with_flat_index(queries: np.ndarray, index: np.ndarray) -> Found:
    flat = faiss.IndexFlatIP(index.shape[1])
    flat.add(index)
    scores, indices = flat.search(queries, NEIGHBOURS)
    return indices, scores


def with_torch(queries: np.ndarray, index: np.ndarray) -> Found:
    rows = torch.from_numpy(index).T
    parts = [torch.topk(part @ rows, NEIGHBOURS, dim=1) for part in torch.from_numpy(queries).split(BLOCK)]
    return torch.cat([part.indices for part in parts]).numpy(), torch.cat([part.values for part in parts]).numpy()


def with_numpy(queries: np.ndarray, index: np.ndarray) -> Found:
    found, scores = [], []
    for start in range(0, len(queries), BLOCK):
        products = queries[start : start + BLOCK] @ index.T
        best = np.argpartition(-products, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        values = np.take_along_axis(products, best, axis=1)
        order = np.argsort(-values, axis=1)
        found.append(np.take_along_axis(best, order, axis=1))
        scores.append(np.take_along_axis(values, order, axis=1))
    return np.concatenate(found), np.concatenate(scores)


def products(queries: np.ndarray, index: np.ndarray, dtype: torch.dtype) -> None:
    rows = torch.from_numpy(index).to(dtype)
    for part in torch.from_numpy(queries).to(dtype).split(BLOCK):
        for start in range(0, len(rows), 8192):
            part @ rows[start : start + 8192].T


def compare(name: str, queries: np.ndarray, stored: np.ndarray, rounds: int) -> None:
    """stored: the index as float16. Opening it, or making float32 of it, is a part of every way."""
    ways: dict[str, Callable[[], Found | None]] = {
        "ours": lambda: open_index(stored, expected=len(queries))(queries, NEIGHBOURS),
        "faiss.knn": lambda: with_faiss(queries, to_float32(stored)),
        "faiss.IndexFlatIP": lambda: with_flat_index(queries, to_float32(stored)),
        "torch, topk": lambda: with_torch(queries, to_float32(stored)),
        "numpy, argpartition": lambda: with_numpy(queries, to_float32(stored)),
        "products in float32 alone": lambda: products(queries, to_float32(stored), torch.float32),
        "products in bfloat16 alone": lambda: products(queries, to_float32(stored), torch.bfloat16),
    }
    seconds = dict.fromkeys(ways, float("inf"))
    found: dict[str, Found | None] = {}
    for number in range(rounds + 1):  # the first warms up
        for way in ways if number % 2 else reversed(ways):
            began = time.process_time()
            found[way] = ways[way]()
            if number:
                seconds[way] = min(seconds[way], time.process_time() - began)
    print(f"{name}: {len(queries):,} queries, index {len(stored):,} x {stored.shape[1]}, {NEIGHBOURS} neighbours")
    for way, needed in seconds.items():
        print(
            f"  {way:28}{needed:8.3f} s   {len(queries) / needed:9,.0f} queries/s   ours is {needed / seconds['ours']:5.2f} times as fast"
        )
    (indices, scores), (theirs, their_scores) = found["ours"], found["faiss.knn"]
    same = np.mean([len(set(one) & set(other)) for one, other in zip(indices.tolist(), theirs.tolist(), strict=True)]) / NEIGHBOURS
    print(f"  as FAISS: {same:.5%} of the neighbours, {(indices == theirs).mean():.3%} at the same place, "
          f"similarities within {np.abs(scores - their_scores).max():.1e}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--descriptors", type=Path, help="a folder with index.npy and test.npy")
    parser.add_argument("--quick", action="store_true", help="small arrays, one round")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    numba.set_num_threads(1)
    print(f"products in bfloat16 by the processor: {'yes' if has_products() else 'no, so FAISS searches'}")
    rounds = 1 if chosen.quick else 3
    for rows, columns, count in ((17_000, 64, 256),) if chosen.quick else ((60_000, 512, 2048), (100_000, 256, 2048)):
        compare("clustered", clustered(count, columns, 1), clustered(rows, columns, 2).astype(np.float16), rounds)
    if chosen.descriptors:
        index, queries = (np.load(chosen.descriptors / f"{split}.npy", mmap_mode="r") for split in ("index", "test"))
        compare(str(chosen.descriptors), l2_normalise(np.asarray(queries)), l2_normalise(np.asarray(index)).astype(np.float16), rounds)


if __name__ == "__main__":
    main()
