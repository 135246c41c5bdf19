"""Revisited Oxford with a million distractors: search and evaluation from descriptor shards, time and memory.

    python benchmarks/distractors.py [distractors, 1000000 unless told]

Synthetic: 70 queries, 4,993 index images and the distractors, 512 dimensions, shards of 65,536 float16 rows. Each side runs in a process of
its own; its highest memory is what the kernel says. Beside ours the plain way: all of the index in memory as float32, every list sorted
to its end, as the benchmark's own example has it. Both must give the same mAP.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

QUERIES, INDEX, DIMENSIONS, SHARD = 70, 4993, 512, 65536


def main(distractors: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_files(folder, distractors)
        (folder / "empty.yaml").write_text("{}\n")
        told = [f"dataset.folder={folder / 'roxford5k'}", f"dataset.distractors={folder / 'shards'}", f"run.folder={folder / 'out'}"]
        stages = {}
        for stage in ("prepare", "search", "evaluate"):
            command = ["landmarks", stage, "--config", str(folder / "empty.yaml"), "dataset.source=revisited", "run.device=cpu", *told]
            stages[stage] = _measured([sys.executable, "-m", *command])
        plain = _measured([sys.executable, __file__, "plain", str(folder)])
        ours = json.loads((folder / "out" / "metrics.json").read_text())["chains"]["knn"]["map_medium"]
        theirs = json.loads((folder / "plain.json").read_text())
        vectors = (folder / "out" / "space" / "index" / "vectors.npy").stat().st_size / 1e9
    print(f"{distractors:,} distractors of {DIMENSIONS} dimensions, {QUERIES} queries; the index takes {vectors:.2f} GB of disk")
    for stage, (seconds, gigabytes) in stages.items():
        print(f"{stage:<10} {seconds:7.1f} s {gigabytes:6.2f} GB")
    print(f"{'plain':<10} {plain[0]:7.1f} s {plain[1]:6.2f} GB")
    print(f"mAP Medium {ours:.4f} and {theirs:.4f}")


def _measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and the highest memory in GB of a process that does nothing but the command."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, int(done.stdout.split()[-1]) * 1024 / 1e9


def _make_files(folder: Path, distractors: int) -> None:
    """Queries close to their easy images, less so to the hard ones, in a world where all lie around few directions."""
    rng = np.random.default_rng(0)
    (folder / "roxford5k").mkdir()
    (folder / "shards").mkdir()
    around = rng.standard_normal((200, DIMENSIONS)).astype(np.float32)
    queries = around[rng.integers(200, size=QUERIES)] + rng.standard_normal((QUERIES, DIMENSIONS)).astype(np.float32)
    index = _somewhere(rng, around, INDEX)
    gnd, places = [], rng.permutation(INDEX)
    for query in range(QUERIES):
        own = places[query * 60 : (query + 1) * 60]
        easy, hard, junk = own[:20], own[20:45], own[45:]
        index[easy] = queries[query] + 1.5 * rng.standard_normal((len(easy), DIMENSIONS))
        index[hard] = queries[query] + 4 * rng.standard_normal((len(hard), DIMENSIONS))
        index[junk] = queries[query] + 2 * rng.standard_normal((len(junk), DIMENSIONS))
        gnd.append({"bbx": [0, 0, 9, 9], "easy": easy, "hard": hard, "junk": junk})
    np.save(folder / "roxford5k" / "index.npy", _unit(index))
    np.save(folder / "roxford5k" / "test.npy", _unit(queries))
    names = {"imlist": [f"i{n}" for n in range(INDEX)], "qimlist": [f"q{n}" for n in range(QUERIES)]}
    (folder / "roxford5k" / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"gnd": gnd, **names}))
    for number, start in enumerate(range(0, distractors, SHARD)):
        np.save(folder / "shards" / f"{number:05d}.npy", _unit(_somewhere(rng, around, min(SHARD, distractors - start))).astype(np.float16))


def _somewhere(rng: np.random.Generator, around: np.ndarray, count: int) -> np.ndarray:
    return around[rng.integers(len(around), size=count)] + 1.2 * rng.standard_normal((count, DIMENSIONS), np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def plain(folder: Path) -> None:
    """All in memory, all sorted; the average precision walked through list by list."""
    gnd = pickle.loads((folder / "roxford5k" / "gnd_roxford5k.pkl").read_bytes())["gnd"]
    index, queries = (np.load(folder / "roxford5k" / f"{name}.npy") for name in ("index", "test"))
    paths = sorted((folder / "shards").glob("*.npy"))
    rows = len(index) + sum(len(np.load(path, mmap_mode="r")) for path in paths)
    everything, done = np.empty((rows, DIMENSIONS), np.float32), len(index)
    everything[:done] = index.astype(np.float16)  # rounded as ours are on disk, so that both rank the same numbers
    for path in paths:
        shard = np.load(path)
        everything[done : done + len(shard)] = shard
        done += len(shard)
    scores = everything @ queries.astype(np.float16).astype(np.float32).T
    values = []
    for query, one in enumerate(gnd):
        wanted, junk = np.concatenate([one["easy"], one["hard"]]), one["junk"]
        ranks = np.argsort(-scores[:, query])
        clean = ranks[~np.isin(ranks, junk)]
        total = 0.0
        for found, place in enumerate(np.flatnonzero(np.isin(clean, wanted))):
            total += ((found / place if place else 1.0) + (found + 1) / (place + 1)) / 2
        values.append(total / len(wanted))
    (folder / "plain.json").write_text(json.dumps(round(100 * float(np.mean(values)), 4)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["plain"]:
        plain(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
