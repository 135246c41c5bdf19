"""Chains compared, step by step, on halves of the landmarks of descriptors with a ground truth, thinned.

    python benchmarks/chains.py DESCRIPTORS
    python benchmarks/chains.py DESCRIPTORS --without-train --chains '[]' '[{step: expand_query, reach: 10}, add_communities]'

Settings are chosen on half 0 and confirmed on half 1. mAP@100 of the public queries, of landmarks that train knows and of those that it
does not, and of how many queries the first image is right; the last step of every chain but the first against the end of the first, with
the 95 % interval by paired bootstrap.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import yaml
from thinned_worlds import Cell, Descriptors, World

from landmarks.config.load import read_chain
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision, relevant_places
from landmarks.progress import say
from landmarks.ranking import Ranking

CELLS = (Cell(0, 0, -1, True), Cell(14, 0, -1, True), Cell(20, 8, -1, True), Cell(0, 0, 0.5, True), Cell(7, 15, 0.5, True))
CHAINS = (
    "[discriminate, add_labels, augment_database, expand_query, diffuse]",
    "[discriminate, add_labels, {step: expand_query, reach: 10}, {step: augment_database, mutual: true}, add_classes]",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--halves", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--usages", nargs="+", default=["Public"], help="whose queries count")
    parser.add_argument("--cells", nargs="+", default=[], help="train,index,unknown,distractors: 14,0,0.15,1; unknown -1 = as in the data")
    parser.add_argument("--chains", nargs="+", default=CHAINS)
    parser.add_argument("--without-train", action="store_true", help="descriptors as they are, and no training image")
    options = parser.parse_args()
    descriptors = Descriptors(options.folder, tuple(options.usages))
    cells = [Cell(int(a), int(b), float(c), d == "1") for a, b, c, d in (text.split(",") for text in options.cells)] or CELLS
    say("| half | cell | chain | mAP | known | unknown | first | change | 95 % interval | seconds |")
    say("|---|---|---|---:|---:|---:|---:|---:|---|---:|")
    for cell in cells:
        for half in options.halves:
            world, first = descriptors.half(cell, half), None
            world = world.without_train() if options.without_train else world
            for text in options.chains:
                last = _rows(f"| {half} | {cell}", world, text, first)
                first = last if first is None else first


def _rows(what: str, world: World, text: str, first: np.ndarray | None) -> np.ndarray:
    """Print a row a step; returns the average precisions behind the last."""
    chain, ranking = read_chain(yaml.safe_load(text)), world.ranking
    precisions = 100 * average_precision(ranking.indices, *world.truth)
    if not chain:
        say(f"{what} | knn | {precisions.mean():.2f} | | | {_first_right(ranking, world):.2f} | | | |")
    for place, step in enumerate(chain):
        started = time.process_time()
        ranking = step.apply(ranking, world.context.after(chain[:place]))
        seconds = time.process_time() - started
        precisions = 100 * average_precision(ranking.indices, *world.truth)
        sides = [f"{precisions[side].mean():.2f}" if side.any() else "" for side in (world.known, ~world.known)]
        change = " | "
        if first is not None and place == len(chain) - 1:
            low, high = mean_interval((precisions - first)[:, None])[:, 0]
            change = f"{(precisions - first).mean():+.2f} | {low:+.2f} to {high:+.2f}"
        scores = [f"{precisions.mean():.2f}", *sides, f"{_first_right(ranking, world):.2f}", change, f"{seconds:.0f}"]
        say(f"{what} | {step.step} | {' | '.join(scores)} |")
    return precisions


def _first_right(ranking: Ranking, world: World) -> float:
    """Of the queries, in percent."""
    places = relevant_places(ranking.indices[:, :1], *world.truth)
    return 100 * float(places.mean())


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
