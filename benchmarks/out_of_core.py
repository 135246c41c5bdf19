"""Search and the steps that make vectors, on a set whose vectors are not to be in memory: seconds, memory and disk of each.

    python benchmarks/out_of_core.py [images of index and of train each, 1000000 unless told] [--dimensions 512] [--steps discriminate]

Synthetic: 1,000 queries; a landmark has 20 training and 20 index images, float16 descriptors as a user brings them. Each stage runs in a
process of its own. Memory is what the process had of its own at most, and beside it all that it had with pages of mapped files, which
the kernel takes back when it needs them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

QUERIES, IMAGES_A_LANDMARK, NOISE, BLOCK = 1000, 20, 0.8, 65536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--steps", default="discriminate")
    parser.add_argument("--folder", help="where the set and the run are made, and deleted; unset: the system's folder for such files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data, run = Path(name, "data"), Path(name, "run")
        data.mkdir()
        (data / "empty.yaml").write_text("{}\n")
        make_set(data, options.images, options.dimensions)
        settings = [f"dataset.folder={data}", f"run.folder={run}", "run.device=cpu", "whiten.dimensions=256", f"rerank={options.steps}"]
        given = size_of(data)
        print(f"{options.images:,} index and as many training images of {options.dimensions} dimensions: {given:.1f} GB")
        for stage in ("search", "rerank"):
            command = [sys.executable, "-m", "landmarks", stage, "--config", str(data / "empty.yaml"), *settings]
            seconds, own, resident = measured(command)
            print(
                f"{stage:<8} {seconds:7.1f} s, memory {own:5.2f} GB ({resident:5.2f} with mapped files), run folder {size_of(run):6.2f} GB"
            )


def make_set(folder: Path, images: int, dimensions: int) -> None:
    """Rows around the centres of landmarks, written block by block."""
    landmarks = images // IMAGES_A_LANDMARK
    for seed, (split, count) in enumerate({"train": images, "index": images, "test": QUERIES}.items()):
        owners = np.arange(count) % landmarks
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


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, the most memory of its own, and the most with mapped files, in GB."""
    own = resident = 0
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                break
            held = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "VmRSS"))}
            own, resident = max(own, held.get("RssAnon", 0)), max(resident, held.get("VmRSS", 0))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{command[3]} failed with exit code {process.returncode}")
    return time.perf_counter() - started, own * 1024 / 1e9, resident * 1024 / 1e9


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


if __name__ == "__main__":
    main()
