"""CPU seconds and memory of the default chain, of add_communities, diffuse, fuse and of the choice of `auto`, part by part.

    python benchmarks/chain_cost.py 0.025 0.05 0.1 [--only chain fuse] [--folder DIR]

Shares of GLDv2's sizes; the table has a row a part and a column a share, and the power of the size by which the last two differ. Made-up
descriptors (gldv2_world.py) of 512 dimensions, whitened to 256. The neighbours of the queries and of the index images are given: the
searches for them are counted apart, by their multiplications. What is searched for in pseudo-worlds, and for the training images of
which add_classes learns how known an image is, is part of the seconds. Between steps vectors are stored and mapped, as in a run. Each
share runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import numpy as np
from gldv2_world import TEST, GivenNeighbours, make_world

from landmarks.ops.vectors import CACHE_ROWS, learn_whitening
from landmarks.progress import say
from landmarks.ranking import Ranking, Space
from landmarks.rerank import choice, classes, fusion, vectors
from landmarks.rerank.evidence import Evidence
from landmarks.rerank.steps.add_communities import AddCommunities
from landmarks.rerank.steps.auto import Auto
from landmarks.rerank.steps.diffuse import Diffuse
from landmarks.rerank.steps.fuse import Fuse
from landmarks.rerank.verdict import report
from landmarks.search.spaces import read_space, write_space

CHAIN = (*choice.WITH_TRAIN, *choice.WHERE_DEEP)
STRANGE = 0.3  # share of images: of a world without them nearly all is found, and the choice stops early
ALL = ["chain", "communities", "diffuse", "fuse", "evidence", "auto"]
PARTS = {  # a part of a part of the work -> module and name of the function that does it
    "choice of auto > owners of the index": (choice, "owners_of_index"),
    "discriminate > discriminant": (vectors, "learn_discriminant"),
    "add_labels > spreading": (vectors, "label_distributions"),
    "add_classes > how known images are": (classes, "known_labels"),
    "add_classes > how known images are > searches for 5,000 training images": (classes, "_neighbours_of_sample"),
    "add_classes > communities": (classes, "community_shares"),
    "add_classes > classifier": (classes, "closed_form_classifier"),
    "add_classes > probabilities": (classes, "_combined"),
    "fuse, training > parts": (fusion, "_parts"),
    "fuse, training > pseudo-world": (fusion, "make_pseudo_world"),
    "fuse, training > cross-validation": (fusion, "learn_fusion"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scales", type=float, nargs="+", help="shares of GLDv2's sizes")
    parser.add_argument("--only", nargs="+", choices=ALL)
    parser.add_argument("--folder", help="where vectors lie meanwhile; unset: the system's folder for such files")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        rows = measure(options.scales[0], options.only, Path(options.inner))
        Path(options.inner, "rows.json").write_text(json.dumps(rows))
        return
    columns = []
    for scale in options.scales:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            command = [sys.executable, __file__, str(scale), "--inner", folder]
            command += ["--only", *options.only] if options.only else []
            subprocess.run(command, check=True)
            columns.append(json.loads(Path(folder, "rows.json").read_text()))
            show(options.scales[: len(columns)], columns)


def measure(scale: float, only: list[str] | None, folder: Path) -> dict[str, list[float]]:
    """Part -> CPU seconds, the most memory of its own and the most with mapped files, in GB."""
    asked = only or ALL
    queries = max(20, int(scale * TEST))
    world = make_world(scale, queries, STRANGE)
    meter = Meter()
    whitening = learn_whitening(world.vectors["train"], 256)
    whitened = {split: np.empty((len(rows), 256), np.float16) for split, rows in world.vectors.items()}
    for split, rows in world.vectors.items():
        for start in range(0, len(rows), CACHE_ROWS):
            whitened[split][start : start + CACHE_ROWS] = whitening(rows[start : start + CACHE_ROWS])
    base = stored(Space.from_splits(whitened), folder / "base")
    del whitened
    context = GivenNeighbours(world, queries, base, folder)
    names = np.arange(queries).astype(str), np.arange(len(base.index)).astype(str)
    first = Ranking(*names, *context.nearest(base, "test", "index", 100))
    for path, (module, name) in PARTS.items():
        setattr(module, name, meter.timed(path.split(" > "), getattr(module, name)))
    with meter.part("the world itself, in memory"):
        pass
    if "auto" in asked:
        with meter.part("choice of auto"):
            verdicts = choice.choose(context.after(()), Auto().draw, 100)
        report(verdicts, "mAP")
        context.pseudo_worlds.clear()
    ranking = first
    for place, step in enumerate(CHAIN if {"chain", "fuse", "evidence"} & set(asked) else ()):
        with meter.part(step.step):
            made = step.apply(ranking, context.after(CHAIN[:place]))
        if step is CHAIN[-1] and not {"fuse", "evidence"} & set(asked):
            break
        kept = stored(made.space, folder / str(place), context.space(ranking))
        context.store(context.space(ranking), made.space, kept)
        if place > 1:  # of all before, add_classes asks for the discriminant alone
            shutil.rmtree(folder / str(place - 1))
        ranking = Ranking(*names, made.indices, made.scores, kept)
        del made
    for name, step in (("communities", AddCommunities(resolution=len(base.index) / choice.COMMUNITY)), ("diffuse", Diffuse())):
        if name in asked:
            with meter.part(step.step):
                step.apply(first, context.after(()))
    if "fuse" in asked:
        with meter.part("fuse, training"):
            own, settings = context.after(CHAIN), Fuse()
            world = fusion.make_pseudo_world(own, CHAIN, fusion._parts(own, settings), 100)
            fusion.learn_fusion(world, settings)
    if "evidence" in asked:
        with meter.part("fuse, evidence on all queries"):
            evidence = Evidence(ranking, context.after(CHAIN), classifier=True)
            for start in range(0, queries, 1024):
                evidence.table(np.arange(start, min(start + 1024, queries)))
    return meter.rows


def stored(space: Space, folder: Path, before: Space | None = None) -> Space:
    """The same space on disk, as a run keeps it: its pages can leave memory."""
    write_space(folder, space, before)
    return read_space(folder, {})


class Meter:
    """CPU seconds and memory of parts of the work, by name."""

    def __init__(self):
        self.rows: dict[str, list[float]] = {}
        self._inside: list[str] = []
        self._own = self._all = 0
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def part(self, label: str) -> Iterator[None]:
        started, outside = time.process_time(), (self._own, self._all)
        self._own, self._all = memory()
        self._inside.append(label)
        row = " > ".join(self._inside)
        try:
            yield
        finally:
            self._inside.pop()
        found = [time.process_time() - started, self._own / 1e6, self._all / 1e6]
        self._own, self._all = max(self._own, outside[0]), max(self._all, outside[1])
        before = self.rows.setdefault(row, [0.0, 0.0, 0.0])
        before[:] = before[0] + found[0], max(before[1], found[1]), max(before[2], found[2])
        say(f"{row:80} {found[0]:8.1f} CPU s, memory {found[1]:5.2f} GB ({found[2]:5.2f} with mapped files)")

    def timed(self, path, function):
        @wraps(function)
        def inner(*given, **named):
            if self._inside != path[:-1]:
                return function(*given, **named)
            with self.part(path[-1]):
                return function(*given, **named)

        return inner

    def _watch(self) -> None:
        while True:
            own, resident = memory()
            self._own, self._all = max(self._own, own), max(self._all, resident)
            time.sleep(0.05)


def memory(process: int | str = "self") -> tuple[int, int]:
    """KB of a process' own, and with mapped files; 0 of one that has ended and is not yet waited for."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    held = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "VmRSS"))}
    return held.get("RssAnon", 0), held.get("VmRSS", 0)


def show(scales: list[float], columns: list[dict[str, list[float]]]) -> None:
    print(f"\n{'CPU s (own memory, GB)':80}" + "".join(f"{scale:>18g}" for scale in scales) + "  power")
    for label in sorted(columns[-1]):
        cells = [column.get(label) for column in columns]
        line = f"{label:80}" + "".join(f"{f'{cell[0]:.1f} ({cell[1]:.1f})' if cell else '':>18}" for cell in cells)
        if len(cells) > 1 and cells[-2] and cells[-2][0] > 1:
            line += f"  {np.log(cells[-1][0] / cells[-2][0]) / np.log(scales[-1] / scales[-2]):.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
