"""Whether the steps fuse and auto gain what they announce, over worlds of different depth, on descriptors with a ground truth.

    python benchmarks/fusion.py DESCRIPTORS grid.csv                     the whole grid, on the public queries of 150 landmarks a cell
    python benchmarks/fusion.py DESCRIPTORS grid.csv --cells 14,0,0.15,1 0,0,0.15,1 --landmarks 1000

A cell thins the folder (thinned_worlds.py): training images a landmark, index images a landmark (0 = all), share of the landmarks that
train does not know, distractors or none. A row a cell: mAP@100 of every prefix of the chain, the change by fuse with its 95 % interval
by the paired bootstrap over queries, what it announced; what auto chose, its mAP, and its distance from the best prefix. The chain is
all that auto chooses from in that cell, diffuse where it tries it, and fuse unless --without-fuse. Cells that are in the file are not run
again; --table prints the file as Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from thinned_worlds import Cell, Descriptors, World

from landmarks.config.chain import Chain, chain_names, step_name
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision
from landmarks.progress import say
from landmarks.rerank.choice import WHERE_DEEP, WITH_TRAIN, choose, chosen, diffusion
from landmarks.rerank.index_owners import index_depth
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.steps.fuse import Fuse

GRID = [Cell(*each) for each in product((14, 0, 3, 7), (0, 15, 5), (0.15, 0.5, 0.0), (True,))] + [
    Cell(20, 8, 0.15, True),
    *(Cell(train, index, 0.15, False) for train, index in product((14, 0, 3), (0, 5))),
]
ALWAYS: Chain = (*WITH_TRAIN, *WHERE_DEEP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--landmarks", type=int, default=150, help="of the ground truth, in each cell")
    parser.add_argument("--usages", nargs="+", default=["Public"], help="whose queries count")
    parser.add_argument("--cells", nargs="+", default=[], help="train,index,unknown,distractors: 14,0,0.15,1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-fuse", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        return print_table(pd.read_csv(options.file))
    descriptors = Descriptors(options.folder, tuple(options.usages))
    cells = [Cell(int(a), int(b), float(c), d == "1") for a, b, c, d in (text.split(",") for text in options.cells)] or GRID
    for cell in cells:
        known = set(pd.read_csv(options.file)["cell"]) if options.file.is_file() else set()
        if str(cell) in known:
            continue
        say(f"{cell}")
        row = {"cell": str(cell)} | _row(descriptors.world(cell, options.landmarks, options.seed), not options.without_fuse)
        say("\n".join(f"  {name} {value}" for name, value in row.items()))
        with open(options.file, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if not known:
                writer.writeheader()
            writer.writerow(row)


def _row(world: World, fuses: bool) -> dict[str, Any]:
    run = _Runs(world)
    depth = index_depth(world.context)
    chain: Chain = (*ALWAYS, *diffusion(depth))
    row: dict[str, Any] = {"queries": len(world.known), "depth": round(depth.images, 1)}
    for steps, name in enumerate(["knn", *map(step_name, ALWAYS)]):
        row[name] = _percent(run.precision(chain[:steps]).mean())
    row["diffuse"] = _percent(run.precision(chain).mean()) if len(chain) > len(ALWAYS) else ""
    fused = (*chain, Fuse()) if fuses else chain
    change = 100 * (run.precision(fused) - run.precision(chain))
    row |= _interval("change", change)
    for name, side in (("known", world.known), ("unknown", ~world.known)):
        row[f"change {name}"] = round(change[side].mean(), 2) if side.any() else ""
    announced = json.loads(run.attachments.get("fusion.json", "{}")).get("announced", {})
    row |= {f"announced {name}": announced.get(name, "") for name in ("before", "after", "low", "high")}
    row["seconds of fuse"] = round(run.seconds[chain_names(fused)[-1]]) if fuses else ""
    started = time.process_time()
    auto = chosen(choose(world.context, Auto().draw, world.ranking.indices.shape[1]))
    row["seconds of choice"] = round(time.process_time() - started)
    row |= {"auto chose": "+".join(map(step_name, auto)), "auto": _percent(run.precision(auto).mean())}
    best = max((fused[:steps] for steps in range(len(fused) + 1)), key=lambda prefix: run.precision(prefix).mean())
    row["best prefix"] = chain_names(best)[-1].rpartition("+")[2] or "knn"
    return row | _interval("auto - best", 100 * (run.precision(auto) - run.precision(best)))


class _Runs:
    """Chains run in a world, each prefix once."""

    def __init__(self, world: World):
        self._world, self._made, self._scores = world, {"knn": world.ranking}, {}
        self.seconds: dict[str, float] = {}
        self.attachments: dict[str, str] = {}

    def precision(self, chain: Chain) -> np.ndarray:
        names = chain_names(chain)
        for steps, step in enumerate(chain):
            if names[steps + 1] not in self._made:
                context, started = self._world.context.after(chain[:steps]), time.process_time()
                self._made[names[steps + 1]] = step.apply(self._made[names[steps]], context)
                self.seconds[names[steps + 1]] = time.process_time() - started
                self.attachments = context.attachments
        if names[-1] not in self._scores:
            self._scores[names[-1]] = average_precision(self._made[names[-1]].indices, *self._world.truth)
        return self._scores[names[-1]]


def _interval(name: str, change: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(change[:, None])[:, 0]
    return {name: round(change.mean(), 2), f"{name} low": round(low, 2), f"{name} high": round(high, 2)}


def _percent(share: float) -> float:
    return round(100 * float(share), 2)


def print_table(rows: pd.DataFrame) -> None:
    say("| cell | queries | behind the steps of auto | fuse: change | 95 % interval | announced | auto | best prefix | auto less that |")
    say("|---|---:|---:|---:|---|---|---:|---:|---|")
    for _, row in rows.iterrows():
        stays = pd.isna(row["announced low"])
        announced = "the order stays" if stays else f"{row['announced low']:+.2f} to {row['announced high']:+.2f}"
        interval = f"{row['change low']:+.2f} to {row['change high']:+.2f}"
        less = f"{row['auto - best']:+.2f} ({row['auto - best low']:+.2f} to {row['auto - best high']:+.2f})"
        best = f"{row['auto'] - row['auto - best']:.2f}"
        before = row[step_name(ALWAYS[-1])] if pd.isna(row["diffuse"]) else row["diffuse"]
        cells = (row["cell"], row["queries"], before, f"{row['change']:+.2f}", interval, announced, row["auto"], best, less)
        say("| " + " | ".join(map(str, cells)) + " |")
    low, mean = rows["change high"].min(), rows["change"].mean()
    say(f"\nfuse: mean change {mean:+.2f}, lowest upper end {low:+.2f}; auto less the best prefix: lowest {rows['auto - best'].min():+.2f}")


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
