"""Search and the steps that make vectors, on a set whose vectors are not to be in memory: seconds, memory and disk of each.

    python benchmarks/out_of_core.py [index images, 1000000 unless told] [--train as many] [--dimensions 512] [--steps discriminate]
    python benchmarks/out_of_core.py 1000000 --train 300000 --default-chain

Synthetic: 1,000 queries; a landmark has 20 training and 20 index images, float16 descriptors as a user brings them. Each stage runs in a
process of its own. Memory is what the process had of its own at most, and beside it all that it had with pages of mapped files, which
the kernel takes back when it needs them.

--default-chain: the steps that `auto` chooses where all of them gain, one after the other. The nearest images of every index image, 10^12
comparisons, are given there: those of its landmark, with their true similarities. Every other search is done. Vectors are stored between
the steps as in a run, and deleted as soon as no later step asks for them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from chain_cost import Meter, memory, stored

from landmarks.config import load_config, step_name
from landmarks.ops.fusion_features import pair_similarities
from landmarks.rerank.chain import open_context
from landmarks.rerank.choice import WHERE_DEEP, WITH_TRAIN
from landmarks.search.rankings import read_ranking
from landmarks.search.spaces import keep_neighbours

DEFAULT = (*WITH_TRAIN, *WHERE_DEEP)
QUERIES, IMAGES_A_LANDMARK, NOISE, BLOCK = 1000, 20, 0.8, 65536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--train", type=int, help="training images; unset: as many")
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--steps", default="discriminate")
    parser.add_argument("--default-chain", action="store_true")
    parser.add_argument("--rerank", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help="where the set and the run are made, and deleted; unset: the system's folder for such files")
    options = parser.parse_args()
    if options.rerank:
        rerank_with_given_neighbours(options.rerank)
        return
    train = options.train or options.images
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data, run = Path(name, "data"), Path(name, "run")
        data.mkdir()
        (data / "empty.yaml").write_text("{}\n")
        make_set(data, options.images, train, options.dimensions)
        chain = json.dumps([step.model_dump(mode="json") for step in DEFAULT]) if options.default_chain else options.steps
        settings = [f"dataset.folder={data}", f"run.folder={run}", "run.device=cpu", "whiten.dimensions=256", f"rerank={chain}"]
        sizes = f"{options.images:,} index and {train:,} training images of {options.dimensions} dimensions"
        print(f"{sizes}: {size_of(data):.1f} GB", flush=True)
        stage = [sys.executable, "-m", "landmarks", "search", "--config", str(data / "empty.yaml"), *settings]
        show("search", run, measured(stage))
        stage[3] = "rerank"
        show("rerank", run, measured([sys.executable, __file__, "--rerank", *settings] if options.default_chain else stage))


def show(what: str, run: Path, cost: tuple[float, float, float, float]) -> None:
    seconds, cpu, own, resident = cost
    held = f"memory {own:5.2f} GB ({resident:5.2f} with mapped files)"
    print(f"{what:58} {seconds:7.1f} s, {cpu:7.1f} s of CPU, {held}, run folder {size_of(run):6.2f} GB", flush=True)


def rerank_with_given_neighbours(settings: list[str]) -> None:
    """The default chain as in the stage `rerank`, but for the nearest images of index images, which are not searched for."""
    config = load_config(None, settings)
    context = open_context(config)
    owners = {"index": np.arange(len(context.base.index)) % (len(context.base.index) // IMAGES_A_LANDMARK), "train": context.landmark_ids}
    order = {split: np.argsort(own, kind="stable") for split, own in owners.items()}
    search = context.nearest

    def given(space, of, among, neighbours):
        kept = space.folder / "neighbours" / f"{of}-{among}" / "manifest.json"
        if of != "index" or kept.is_file():
            return search(space, of, among, neighbours)
        found = np.full((len(space.index), neighbours), -1, np.int32)
        similarities = np.full(found.shape, -np.inf, np.float32)
        starts, ends = (np.searchsorted(owners[among][order[among]], owners["index"], side=side) for side in ("left", "right"))
        for start in range(0, len(found), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(found)))
            places = starts[rows, None] + np.arange(IMAGES_A_LANDMARK)
            images = np.where(places < ends[rows, None], order[among][np.minimum(places, len(order[among]) - 1)], -1).astype(np.int32)
            images[images == (rows[:, None] if among == "index" else -1)] = -1
            cosines = np.nan_to_num(pair_similarities(space.index[rows], space.vectors(among), images), nan=-np.inf)
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
            found[rows, : best.shape[1]] = np.take_along_axis(images, best, axis=1)
            similarities[rows, : best.shape[1]] = np.take_along_axis(cosines, best, axis=1)
        keep_neighbours(space, of, among, found, similarities)
        return found, similarities

    context.nearest, meter = given, Meter()
    folders = [config.run.folder / f"space {number}" for number in range(len(DEFAULT))]
    ranking = read_ranking(config.run.folder / "rankings" / "knn")
    for number, step in enumerate(config.rerank):
        with meter.part(step_name(step)):
            made = step.apply(ranking, context.after(config.rerank[:number]))
            if number == len(DEFAULT) - 1:
                return
            before = context.space(ranking)
            kept = stored(made.space, folders[number], before)
            context.store(before, made.space, kept)
        ranking = replace(made, space=kept)
        del made, before
        if number > 1:  # of all before, add_classes asks for the discriminant alone
            shutil.rmtree(folders[number - 1])
        print(f"    run folder {size_of(config.run.folder):6.2f} GB", flush=True)


def make_set(folder: Path, images: int, train: int, dimensions: int) -> None:
    """Rows around the centres of landmarks, written block by block."""
    for seed, (split, count) in enumerate({"train": train, "index": images, "test": QUERIES}.items()):
        owners = np.arange(count) % ((train if split == "train" else images) // IMAGES_A_LANDMARK)
        header = "id,landmark_id" if split == "train" else "id"
        lines = (f"{split}{row},{owners[row]}" if split == "train" else f"{split}{row}" for row in range(count))
        (folder / f"{split}.csv").write_text("\n".join([header, *lines]) + "\n")
        rows = np.lib.format.open_memmap(folder / f"{split}.npy", "w+", np.float16, (count, dimensions))
        for start in range(0, count, BLOCK):
            part = owners[start : start + BLOCK]
            noise = np.random.default_rng((seed, start)).standard_normal((len(part), dimensions), dtype=np.float32)
            block = centres(part, dimensions) + np.float32(NOISE) * noise
            rows[start : start + BLOCK] = block / np.linalg.norm(block, axis=1, keepdims=True)


def centres(landmarks: np.ndarray, dimensions: int) -> np.ndarray:
    """(n, dimensions): a landmark's centre depends on its number alone, so that no table of them is kept."""
    known, place = np.unique(landmarks, return_inverse=True)
    drawn = np.stack([np.random.default_rng((99, int(number))).standard_normal(dimensions, dtype=np.float32) for number in known])
    return drawn[place]


def measured(command: list[str]) -> tuple[float, float, float, float]:
    """Seconds, those of CPU, the most memory of its own, and the most with mapped files, in GB."""
    own = resident = 0
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            try:
                held = memory(process.pid)
            except OSError:
                break
            own, resident = max(own, held[0]), max(resident, held[1])
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[1:4])} failed with exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu, own * 1024 / 1e9, resident * 1024 / 1e9


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


if __name__ == "__main__":
    main()
