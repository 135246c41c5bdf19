"""Whether the step fuse gains what it announces, over worlds of different depth, on descriptors with a ground truth.

    python benchmarks/fusion.py DESCRIPTORS                     the grid, on the public queries of 100 landmarks a cell
    python benchmarks/fusion.py DESCRIPTORS --landmarks 1000    of all of them
    python benchmarks/fusion.py DESCRIPTORS --usages Public Private --cells 14,0,0.15,1 0,0,0.15,1

A cell thins the folder (thinned_worlds.py): training images a landmark, index images a landmark (0 = all), share of the landmarks that
train does not know, distractors or none. mAP@100 before and after fuse, behind the steps before it, with the 95 % interval of the
change by the paired bootstrap over queries.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from thinned_worlds import Cell, Descriptors, World

from landmarks.config.load import read_chain
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision
from landmarks.progress import say

GRID = (
    *(Cell(train, 0, 0.15, True) for train in (3, 7, 14, 0)),
    *(Cell(train, 5, 0.15, True) for train in (7, 0)),
    *(Cell(train, 15, 0.15, True) for train in (14, 0)),
    Cell(20, 8, 0.15, True),
    *(Cell(train, 0, unknown, True) for train in (14, 0) for unknown in (0, 0.5)),
    *(Cell(train, 0, 0.15, False) for train in (14, 0)),
)
CHAIN = "discriminate,add_labels,augment_database,expand_query,diffuse,fuse"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--landmarks", type=int, default=100, help="of the ground truth, in each cell")
    parser.add_argument("--usages", nargs="+", default=["Public"], help="whose queries count")
    parser.add_argument("--cells", nargs="+", default=[], help="train,index,unknown,distractors: 14,0,0.15,1")
    parser.add_argument("--chain", default=CHAIN, help="whose last step is looked at")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    descriptors = Descriptors(options.folder, tuple(options.usages))
    cells = [Cell(int(a), int(b), float(c), d == "1") for a, b, c, d in (text.split(",") for text in options.cells)] or GRID
    rows = []
    for cell in cells:
        say(f"{cell}")
        rows.append(_row(cell, descriptors.world(cell, options.landmarks, options.seed), options.chain))
        say(rows[-1])
    say("\n| cell | queries | before | after | change | 95 % interval | known | unknown | seconds |")
    say("\n".join(["|---|---:|---:|---:|---:|---|---:|---:|---:|", *rows]))


def _row(cell: Cell, world: World, chain: str) -> str:
    *before, last = read_chain(chain)
    ranking = world.ranking
    for place, step in enumerate(before):
        ranking = step.apply(ranking, world.context.after(tuple(before[:place])))
    started = time.process_time()
    fused = last.apply(ranking, world.context.after(tuple(before)))
    seconds = time.process_time() - started
    one, other = (average_precision(each.indices, *world.truth) for each in (ranking, fused))
    change = 100 * (other - one)
    low, high = mean_interval(change[:, None])[:, 0]
    known, unknown = (f"{change[side].mean():+.2f}" if side.any() else "" for side in (world.known, ~world.known))
    numbers = f"{100 * one.mean():.2f} | {100 * other.mean():.2f} | {change.mean():+.2f} | {low:+.2f} to {high:+.2f}"
    return f"| {cell} | {len(change)} | {numbers} | {known} | {unknown} | {seconds:.0f} |"


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
