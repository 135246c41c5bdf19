"""Made-up descriptors of GLDv2's size, and neighbours that would take hours to search for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from landmarks.ops.half import dot, kernel_rows
from landmarks.progress import say
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context

TEST, INDEX, TRAIN, LABELS, DIMENSIONS = 117_577, 761_757, 1_580_470, 81_313, 512
WIDTHS = {("test", "index"): 100, ("test", "train"): 20, ("index", "index"): 50, ("index", "train"): 20}
_NOISE = 0.8  # length beside a centre of length one: two images of a label have a cosine of about 1 / (1 + 0.8^2) = 0.61
_BLOCK = 16_384


@dataclass
class World:
    """Vectors (n, 512) float16 of three splits, and near[of, among]: (indices (n, width) int32, cosines float32), nearest first.

    The neighbours are images of the same label as far as there are as many, those that stand beside it among them (so that they
    are mutual, as in life), and any images behind them; the cosines are the true ones.
    """

    vectors: dict[str, np.ndarray]
    train_labels: np.ndarray
    near: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


class GivenNeighbours(Context):
    """A context that looks its neighbours up and keeps the lists where a step would search again: searches are timed apart."""

    def __init__(self, world: World, queries: int, base: Space | None = None, scratch: Path | None = None):
        vectors = {**world.vectors, "test": world.vectors["test"][:queries]}
        super().__init__(base or Space(**vectors), world.train_labels, vectors.get, scratch=scratch)
        self._near = world.near

    def nearest(self, space, of, among, neighbours):
        return tuple(np.ascontiguousarray(part[: len(space.vectors(of)), :neighbours]) for part in self._near[of, among])

    def search(self, ranking, space):
        found = self.nearest(space, "test", "index", ranking.indices.shape[1])
        return Ranking(ranking.query_ids, ranking.index_ids, *found, space)


def make_world(scale: float, queries: int, strange: float = 0.0) -> World:
    """All sizes but that of the queries times `scale`; a share of `strange` images looks like nothing else, as one from inside may."""
    rng = np.random.default_rng(0)
    sizes = {"test": queries, "index": int(scale * INDEX), "train": int(scale * TRAIN)}
    labels = max(int(scale * LABELS), 20)
    popularity = 1 / np.arange(1, labels + 1) ** 0.7
    of = {split: rng.choice(labels, size, p=popularity / popularity.sum()) for split, size in sizes.items()}
    of["train"][:labels] = np.arange(labels)  # train knows every landmark
    centres = rng.standard_normal((labels, DIMENSIONS), dtype=np.float32) / np.float32(DIMENSIONS**0.5)
    say(f"world: descriptors of {sizes['train']:,} train, {sizes['index']:,} index and {queries:,} query images, {labels:,} labels")
    vectors = {split: _noisy_centres(centres, of[split], seed, strange) for seed, split in enumerate(sizes)}
    near = {}
    for (split, among), width in WIDTHS.items():
        say(f"world: {width} neighbours in {among} of every {split} image")
        near[split, among] = _same_label(vectors[split], of[split], vectors[among], of[among], width, split == among)
    return World(vectors, of["train"], near)


def _noisy_centres(centres: np.ndarray, labels: np.ndarray, seed: int, strange: float) -> np.ndarray:
    vectors = np.empty((len(labels), DIMENSIONS), np.float16)

    def fill(start: int) -> None:
        part = labels[start : start + _BLOCK]
        rng = np.random.default_rng((seed, start))
        block = rng.standard_normal((len(part), DIMENSIONS), dtype=np.float32)
        block *= np.float32(_NOISE / DIMENSIONS**0.5)
        block += centres[part] * (rng.random((len(part), 1)) >= strange)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        vectors[start : start + _BLOCK] = block

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(fill, range(0, len(labels), _BLOCK)))
    return vectors


def _same_label(own, own_labels, others, other_labels, width, itself):
    order = np.argsort(other_labels, kind="stable")
    starts = np.searchsorted(other_labels[order], own_labels)
    ends = np.searchsorted(other_labels[order], own_labels, side="right")
    places = np.empty(len(own), np.int64)
    if itself:
        places[order] = np.arange(len(order))
    else:
        places[:] = starts + np.random.default_rng(0).integers(0, np.maximum(ends - starts, 1))
    return _beside(kernel_rows(own), kernel_rows(others), order, starts, ends, places, width, itself)


@numba.njit(cache=True, parallel=True)
def _beside(own, others, order, starts, ends, places, width, itself):
    indices, cosines = np.empty((len(own), width), np.int32), np.empty((len(own), width), np.float32)
    for row in numba.prange(len(own)):
        size = ends[row] - starts[row]
        found, values = np.empty(width, np.int32), np.empty(width, np.float32)
        step = 1 + (row * 7919) % (len(others) // (3 * width))
        count, far = 0, (row * 104729) % len(others)
        for distance in range(1 if itself else 0, size):  # 0, +1, -1, +2, -2, ...: no image of the label twice
            if count == width:
                break
            shift = (distance + 1) // 2 if distance % 2 else -(distance // 2)
            found[count] = order[starts[row] + (places[row] - starts[row] + shift) % size]
            count += 1
        same = count
        while count < width:  # fewer than 3 width steps, each of at most len / (3 width): none of these twice either
            far = (far + step) % len(others)
            known = itself and far == row
            for place in range(same):
                known |= found[place] == far
            if not known:
                found[count] = far
                count += 1
        for place in range(width):
            values[place] = dot(own[row], others[found[place]])
        first = np.argsort(-values)
        indices[row], cosines[row] = found[first], values[first]
    return indices, cosines
