"""Every re-ranking step at GLDv2 size: seconds and peak memory, beside the plain per-query way on a sample of the same rows.

    python benchmarks/rerank.py                  762 k index, 1.58 M train images; 1,129 and 118 k queries (16 GB)
    python benchmarks/rerank.py --scale 0.01     a hundredth of all of it

Synthetic descriptors, labels with a long tail (gldv2_world.py). The steps run as the package runs them, but the nearest neighbours
that they ask for are given: images of the same label with their true cosines, since the searches of the whole index in itself and in
train take hours without a GPU. So a step's seconds hold no search; that is timed apart. What is scaled up is marked with ~: searches
from the first number of queries, the last three steps from 10,000, and the plain way (plain_rerank.py) from the rows of its sample,
which must come out the same.
"""

from __future__ import annotations

import argparse
import os

import numba
import numpy as np
from gldv2_world import TEST, GivenNeighbours, World, make_world
from plain_rerank import Plain, plain_search

from landmarks.ops.two_stage import insert_step, sort_step
from landmarks.ops.voting import label_votes
from landmarks.progress import say
from landmarks.ranking import Ranking
from landmarks.rerank.cost import measured
from landmarks.rerank.steps.add_classes import AddClasses
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.steps.augment_database import AugmentDatabase
from landmarks.rerank.steps.diffuse import Diffuse
from landmarks.rerank.steps.expand_query import ExpandQuery
from landmarks.rerank.steps.explore import Explore
from landmarks.rerank.steps.insert import Insert
from landmarks.rerank.steps.k_reciprocal import KReciprocal
from landmarks.rerank.steps.sort import Sort
from landmarks.rerank.steps.super_global import SuperGlobal
from landmarks.rerank.vectors import label_distributions
from landmarks.search.spaces import search as nearest

LABELS, CLASSES, RECIPROCAL, EXPLORE = AddLabels(), AddClasses(), KReciprocal(), Explore()
DIFFUSE, REFINE = Diffuse(), SuperGlobal()
SORT, INSERT = Sort(), Insert()
SAME = 0.999  # at least: rounding may swap images that are equally near
QUERY, DATABASE = ExpandQuery(), AugmentDatabase()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of GLDv2's sizes")
    parser.add_argument("--queries", type=int, nargs="+", default=[1129, TEST], help="before scaling; searches run with the first number")
    options = parser.parse_args()
    counts = [max(int(options.scale * count), 20) for count in options.queries]
    world, cost = timed(lambda: make_world(options.scale, max(counts)), repeats=1)
    say(f"world: made in {cost.seconds:.0f} s")
    table, vectors, plain, held = Table(world, counts), world.vectors, Plain(world), {}
    images = len(vectors["index"])

    def search(name, queries, index):
        return table.row(name, lambda n: nearest(queries[:n], index, 100, name)[0], plain_search(queries, index), 5, limit=counts[0])

    def spread(n):
        held.update(label_distributions(table.at(n)[1].base, table.at(n)[1], LABELS))
        return held["test"].shares

    def joined(n):
        held.pop("space", None)
        held["space"] = LABELS.apply(*table.at(n)).space
        return held["space"].test

    first = search("kNN search, 512-d", vectors["test"], vectors["index"])
    train = search("kNN search in train", vectors["test"], vectors["train"])
    table.row("label vectors: spread", spread)
    plain.known = held["index"]
    table.row("label vectors: spread + sketch", joined, plain.label_vector, 50, lambda n: LABELS.rounds * images + n)
    space = held.pop("space")
    second = search("label vectors: search, 1024-d", space.test, space.index)
    del space
    table.row("add_classes", lambda n: CLASSES.apply(*table.at(n)).space.test)  # tests/rerank/test_classes.py has its plain twin
    plain.votes = table.at(counts[0])[1].votes(table.at(counts[0])[0], SORT.neighbours)
    table.row("votes", lambda n: votes(world, n)[0].labels, plain.vote, 500, lambda n: images + n)
    table.row("sort + insert, as steps", lambda n: two_steps(*table.at(n)), plain.sort_and_insert, 200)
    table.row("sort + insert, arrays alone", lambda n: two_kernels(*table.at(n)), plain.sort_and_insert, 200)
    table.row("query expansion", lambda n: QUERY.apply(*table.at(n)).space.test, plain.expanded_query, 500)
    table.row("database augmentation", lambda n: DATABASE.apply(*table.at(n)).space.index, plain.augmented, 500, lambda n: images)
    table.row("k_reciprocal", lambda n: RECIPROCAL.apply(*table.at(n)).indices, plain.k_reciprocal, 3, plain.reciprocal_units)
    table.row("diffuse", lambda n: DIFFUSE.apply(*table.at(n)).indices, plain.diffuse, 20, limit=10_000)
    table.row("explore", lambda n: EXPLORE.apply(*table.at(n)).indices, plain.explore, 50, limit=10_000)
    table.row("super_global", lambda n: REFINE.apply(*table.at(n)).indices, plain.super_global, 20, limit=10_000)

    print(f"\n{numba.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}; peak memory is that of the process, descriptors and all")
    print("\n".join(table.lines))
    print(f"same queries, label vectors over the whole index: their search is {second / first:.2f} x the kNN search (goal: <= 2)")
    for number, count in enumerate(counts):
        more = table.seconds["label vectors: spread + sketch"][number]
        total = (second * count / counts[0] + more) / (first * count / counts[0])
        print(f"with the spread and sketch of index, train and queries: {total:.2f} x for {count:,} queries")
    hours = images / counts[0] / 3600
    print(f"not run, scaled from the above: index in index {first * hours:.1f} h, index in train {train * hours:.1f} h")


class Table:
    """Measures a step for every number of queries, and its plain twin for a few of the rows."""

    def __init__(self, world: World, counts: list[int]):
        self._world, self._counts, self._arguments = world, counts, {}
        self.seconds: dict[str, list[float]] = {}
        self.lines = [f"{'step':34}{'queries':>9}{'seconds':>11}{'peak GB':>9}{'plain way, s':>14}{'sample':>8}{'same':>9}"]

    def at(self, queries: int) -> tuple[Ranking, GivenNeighbours]:
        """The arguments of a step for so many queries; the votes of the images are known."""
        if queries not in self._arguments:
            context = GivenNeighbours(self._world, queries)
            found = context.nearest(context.base, "test", "index", 100)
            ranking = Ranking(np.arange(queries), np.arange(len(context.base.index)), *found)
            context.votes(ranking, SORT.neighbours)
            self._arguments[queries] = ranking, context
        return self._arguments[queries]

    def row(self, name, ours, plain=None, sample=0, units=lambda n: n, limit=None) -> float:
        """Seconds for the first number of queries. plain(row) gives row `row` of what ours(queries) returns."""
        self.seconds[name], before = [], None
        for count in self._counts:
            ran = min(count, limit or count)
            self.at(ran)
            if ran != before:
                result, cost = timed(lambda ran=ran: ours(ran))
            if before is None and plain:
                rows = np.linspace(0, len(result) - 1, min(sample, len(result))).astype(int)
                plain(rows[0])  # it may have something to prepare
                expected, plain_cost = timed(lambda rows=rows: [plain(row) for row in rows], repeats=1)
                same = np.mean(np.abs(result[rows] - np.stack(expected)) <= 5e-4)  # half a step of float16 below one
                if same < SAME:
                    raise SystemExit(f"{name}: only {same:.2%} of what ours and the plain way give is the same")
            result, before = None, ran
            seconds = cost.seconds * count / ran
            self.seconds[name].append(seconds)
            line = f"{name:34}{count:>9,}{'~' * (ran < count) + format(seconds, ',.2f'):>11}{cost.peak_megabytes / 1024:>9.1f}"
            if plain:
                line += f"{'~' + format(plain_cost.seconds / len(rows) * units(count), ',.1f'):>14}{len(rows):>8}{same:>9.2%}"
            self.lines.append(line)
            say(line)
        return self.seconds[name][0]


def timed(work, repeats: int = 2):
    """The result and its cost; what takes under five seconds is repeated, so that nothing is loaded while the clock runs."""
    for _ in range(repeats):
        result = None
        with measured() as cost:
            result = work()
        if cost.seconds > 5:
            break
    return result, cost


def votes(world: World, queries: int):
    """Of queries and index images: their nearest training images are known."""
    width = SORT.neighbours
    of = [tuple(part[:, :width] for part in world.near[split, "train"]) for split in ("test", "index")]
    of[0] = tuple(part[:queries] for part in of[0])
    return [label_votes(world.train_labels[near], similarities) for near, similarities in of]


def two_steps(ranking, context):
    return INSERT.apply(SORT.apply(ranking, context), context).indices


def two_kernels(ranking, context):
    both = context.votes(ranking, SORT.neighbours)
    return insert_step(sort_step(ranking.indices, *both), *both, INSERT.threshold)


if __name__ == "__main__":
    main()
