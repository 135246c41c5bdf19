"""Kills a tiny run exactly before and after a file is put in place or removed, runs it again, and compares it with an undisturbed run.

    python tests/kill_points.py [--processes 2] [--only TEXT] [--sample 6]

The table it prints is that of docs/reliability.md. tests/test_killed.py tries a few of the points.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

SETTINGS = [
    "dataset.source=sample",
    "sample={landmarks: 8, longest_side: 64}",
    "models={tiny: {backbone: test_efficientnet, pretrained: false, dimensions: 16, local: {dimensions: 8}}}",
    "train={epochs: 2, image_size: 64, batch_size: 16, workers: 0, checkpoint_minutes: 0, log_steps: 1}",
    "extract={longest_side: 64, scales: [1.0], workers: 0, shard_images: 64, local: {scales: [1.0], max_features: 20}}",
    "rerank=[{step: sort}, {step: insert}, {step: verify}]",
    "clean.min_images=1",
    "run.device=cpu",
]
STAGES = ("run", "clean")
CALLS = ("replace", "rename", "unlink", "link")
PACKAGE = f"{os.sep}landmarks{os.sep}"


class Point(NamedTuple):
    """The `number`-th call (from 1) of os.`call` from the line `site` of the package, and on which side of it to kill."""

    site: str
    call: str
    number: int
    side: str


def commands(folder: Path, processes: int) -> list[list[str]]:
    (folder / "empty.yaml").write_text("{}\n")
    words = ["--config", str(folder / "empty.yaml"), *SETTINGS, f"run.processes={processes}"]
    return [[stage, *words, f"dataset.folder={folder / 'world'}", f"run.folder={folder / 'out'}"] for stage in STAGES]


def watch(log: Path | None, point: Point | None) -> None:
    """In the process to be killed: write every call to `log`, and kill its group at `point`."""
    seen: Counter = Counter()

    def watched(name: str, real):
        def call(*arguments, **options):
            site = _site()
            if site is None or (name == "unlink" and not os.path.lexists(arguments[0]) and "dir_fd" not in options):
                return real(*arguments, **options)  # nothing is changed
            seen[site, name] += 1
            if log is not None:
                with open(log, "a") as file:
                    file.write(json.dumps([site, name]) + "\n")
            hit = point is not None and (site, name, seen[site, name]) == point[:3]
            if hit and point.side == "before":
                os.killpg(0, signal.SIGKILL)
            result = real(*arguments, **options)
            if hit:
                os.killpg(0, signal.SIGKILL)
            return result

        return call

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))


def _site() -> str | None:
    """Where in the package the call comes from: the nearest line that is not in the functions that write files."""
    frame, nearest = sys._getframe(2), None
    while frame is not None:
        path = frame.f_code.co_filename
        if PACKAGE in path:
            nearest = f"{path.rpartition(PACKAGE)[2]}:{frame.f_code.co_name}"
            if not path.endswith(("store/files.py", "store/csv_files.py")):
                break
        frame = frame.f_back
    return nearest


def attempt(folder: Path, *, processes: int = 1, log: Path | None = None, point: Point | None = None) -> int:
    """Run all stages in a process of their own; returns its exit code, -9 where it was killed."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setsid()
            quiet = os.open(folder / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            watch(log, point)
            from landmarks.cli import main

            code = next((code for command in commands(folder, processes) if (code := main(command))), 0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def contents(folder: Path) -> dict[str, str]:
    """What a run left: the digest of every file; of a manifest only what does not depend on the time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.parent == folder or path.name in ("run.log", "metrics.jsonl", "index.html", "config.yaml"):
            continue
        if name.startswith("out/report/"):  # it shows seconds
            found[name] = "there"
        elif path.name == "manifest.json":
            manifest = json.loads(path.read_text())
            kept = {key: manifest[key] for key in ("fingerprint", "stage", "settings", "inputs")}
            found[name] = json.dumps(kept | {"files": {key: facts[2] for key, facts in _steady(manifest["files"]).items()}})
        elif path.name == "recipe.json" or path.suffix in (".npy", ".safetensors", ".jpg") or path.name in ("submission.csv", "ids.csv"):
            found[name] = hashlib.blake2b(path.read_bytes()).hexdigest()
        else:
            found[name] = "there"
    return found


def _steady(files: dict) -> dict:
    return {name: facts for name, facts in files.items() if not name.endswith((".html", "metrics.jsonl"))}


def points_of(log: Path) -> list[Point]:
    """Before and after the first and the last call of every site."""
    counted = Counter(tuple(json.loads(line)) for line in log.read_text().splitlines())
    return [
        Point(site, call, number, side)
        for (site, call), count in sorted(counted.items())
        for number in sorted({1, count})
        for side in ("before", "after")
    ]


class Undisturbed(NamedTuple):
    """A run that nothing happened to: what it left, and the points at which others are killed."""

    contents: dict[str, str]
    points: list[Point]


def undisturbed(folder: Path, processes: int = 1) -> Undisturbed:
    folder.mkdir()
    log = folder / "calls.jsonl"
    if code := attempt(folder, processes=processes, log=log):
        raise RuntimeError(f"exit code {code}: {(folder / 'printed.txt').read_text()[-2000:]}")
    return Undisturbed(contents(folder), points_of(log))


def outcome(folder: Path, whole: Undisturbed, point: Point, processes: int = 1) -> str:
    """Kill a new run at the point and run it again: "as undisturbed", or what is wrong."""
    folder.mkdir()
    if (code := attempt(folder, processes=processes, point=point)) != -signal.SIGKILL:
        return f"was not reached (exit code {code})"
    if code := attempt(folder, processes=processes):
        return f"exit code {code} when run again: {(folder / 'printed.txt').read_text()[-300:]}"
    now = contents(folder)
    different = sorted(name for name in now.keys() | whole.contents.keys() if now.get(name) != whole.contents.get(name))
    return f"different: {', '.join(different[:5])}" if different else "as undisturbed"


def main() -> int:
    import landmarks.cli
    import landmarks.stages.train  # noqa: F401  torch is loaded once, and forked

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", default="", help="points whose site contains this")
    parser.add_argument("--sample", type=int, help="so many of the points, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    bad, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        whole = undisturbed(Path(place, "whole"), chosen.processes)
        points = [point for point in whole.points if chosen.only in point.site]
        if chosen.sample is not None:
            points = random.Random(chosen.seed).sample(points, chosen.sample)
        rows: dict[tuple[str, str], list[str]] = {}
        for number, point in enumerate(points, start=1):
            said = outcome(Path(place, f"run{number}"), whole, point, chosen.processes)
            rows.setdefault((point.site, point.call), []).append(said)
            shutil.rmtree(Path(place, f"run{number}"), ignore_errors=True)
            bad += said != "as undisturbed"
            left = (time.monotonic() - began) / number * (len(points) - number)
            print(f"{number}/{len(points)} {point}: {said} ({left / 60:.0f} min left)", file=sys.stderr, flush=True)
    print("| killed around | call | times tried | as undisturbed |\n|---|---|---:|---:|")
    for (site, call), outcomes in rows.items():
        print(f"| {site} | {call} | {len(outcomes)} | {outcomes.count('as undisturbed')} |")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
