"""From one process to two of one core each: training and extraction through the commands, as they are typed.

    python benchmarks/scaling.py                    rendered photos, EfficientNet-lite0: a few minutes
    python benchmarks/scaling.py --rounds 1

Images a second by the clock, which other programs change, and for each second of the processor, which they do not: two processes that
share the work without loss need as many seconds together as one. The runs take turns; of each the best counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml

from landmarks.datasets.images import image_path
from landmarks.store.artefact import read_manifest
from landmarks.training.journal import read_lines

PHOTOS, LANDMARKS = 192, 16
STARTING = 32  # photos of a run that is taken off: what it costs to start


def photos(folder: Path, count: int) -> Path:
    """A dataset folder with so many photos in train, and two in index and test."""
    rng = np.random.default_rng(0)
    for split, first, rows in (("train", 0, count), ("index", count, 2), ("test", count + 2, 2)):
        lines = ["id,landmark_id" if split == "train" else "id"]
        for number in range(first, first + rows):
            id = f"{number:016x}"
            path = image_path(folder, split, id)
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (400, 300), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(path), pixels)
            lines.append(f"{id},{number % LANDMARKS}" if split == "train" else id)
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(stage: str, configuration: Path, processes: int) -> float:
    """Seconds of the processor of one command and all that it starts. Each process has one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = sorted(os.sched_getaffinity(0))[:processes]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", "landmarks", stage, "--config", str(configuration), f"run.processes={processes}"],
        check=False,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(folder: Path, dataset: Path, processes: int) -> dict[str, tuple[float, float]]:
    """Stage -> images a second by the clock, and seconds of the processor."""
    configuration = folder / "configuration.yaml"
    settings = {
        "dataset": {"folder": str(dataset), "source": "folder"},
        "models": {"m": {"backbone": "efficientnet_lite0", "pretrained": False, "dimensions": 64}},
        "train": {"epochs": 1, "image_size": 160, "batch_size": 32, "workers": 0, "log_steps": 1, "freeze_batchnorm": True},
        "extract": {"longest_side": 256, "workers": 0, "shard_images": 16},
        "run": {"folder": str(folder / "run"), "device": "cpu"},
    }
    configuration.write_text(yaml.safe_dump(settings), encoding="utf-8")
    trained = run("train", configuration, processes)
    lines = read_lines(folder / "run/models/m")
    speeds = [line["images_per_second"] for line in lines[2:] or lines]
    described = run("extract", configuration, processes)
    manifest = read_manifest(folder / "run/descriptors/m/train")
    return {"train": (float(np.median(speeds)), trained), "extract": (manifest["images"] / manifest["seconds"], described)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        datasets = {count: photos(Path(name) / str(count), count) for count in (STARTING, PHOTOS)}
        for number in range(rounds):
            for processes in (1, 2) if number % 2 == 0 else (2, 1):
                for count, dataset in datasets.items():
                    with tempfile.TemporaryDirectory() as run_folder:
                        for stage, values in measured(Path(run_folder), dataset, processes).items():
                            found.setdefault((stage, processes, count), []).append(values)
    for stage in ("train", "extract"):
        speed = {processes: max(speed for speed, _ in found[stage, processes, PHOTOS]) for processes in (1, 2)}
        work = {
            processes: min(seconds for _, seconds in found[stage, processes, PHOTOS])
            - min(seconds for _, seconds in found[stage, processes, STARTING])
            for processes in (1, 2)
        }
        for processes in (1, 2):
            each = 1000 * work[processes] / (PHOTOS - STARTING)
            print(
                f"{stage}, {processes} process(es) of one core: {speed[processes]:6.1f} images/s, {each:6.1f} ms of the processor an image"
            )
        print(f"{stage}: two are {speed[2] / speed[1]:.2f} times as fast by the clock, "
              f"{2 * work[1] / work[2]:.2f} by the processor's seconds", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
