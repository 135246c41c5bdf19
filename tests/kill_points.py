"""Kills every stage of a tiny run exactly before and after a file is put in place or removed, runs it again, and compares the result
with that of an undisturbed run.

    python tests/kill_points.py [--processes 2] [--stages train extract] [--sample 6]

Each point starts from a copy of the folders as the stage before left them. All processes of a stage are killed at the same moment,
whichever of them reaches the point: those that share its work under Accelerate, and those of pools. The table that it prints is that of
docs/reliability.md; tests/test_killed.py tries a few of the points.
"""

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple, NoReturn

from killed_world import STAGES, commands, contents, prepare_for

CALLS = ("replace", "rename", "unlink", "link", "symlink")
PACKAGE = f"{os.sep}landmarks{os.sep}"
WRITERS = ("store/files.py", "store/csv_files.py")  # which others call to write; write_tensors too
WATCH = "KILL_POINTS_WATCH"  # for the processes that the killed one starts: what `watch` is given, as JSON
SLOW_TO_IMPORT = ("accelerate", "albumentations", "cv2", "faiss", "lightgbm", "numba", "pandas", "rich", "scipy.stats", "timm", "torch")


class Point(NamedTuple):
    """The `number`-th call (from 1) of os.`call` from the line `site` of the package in a process of this role; the side of it to kill."""

    role: str
    site: str
    call: str
    number: int
    side: str


def watch(pids: str, log: str | None, point: Point | None) -> None:
    """In each process of the run to be killed: write every call to `log`, and kill all that are in the file `pids` at `point`."""
    seen: Counter = Counter()
    rank = os.environ.get("LOCAL_RANK")
    role = f"rank {rank}" if rank else "first" if WATCH + "_CHILD" not in os.environ else "other"
    os.environ[WATCH + "_CHILD"] = "1"
    _append(pids, str(os.getpid()))

    def kill() -> None:
        for pid in map(int, Path(pids).read_text().split()):
            if pid != os.getpid():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        os.kill(os.getpid(), signal.SIGKILL)

    def watched(name: str, real):
        def call(*arguments, **options):
            site = _site()
            if site is None or (name == "unlink" and not os.path.lexists(arguments[0]) and "dir_fd" not in options):
                return real(*arguments, **options)  # nothing is changed
            seen[site, name] += 1
            if log is not None:
                _append(log, json.dumps([os.getpid(), role, site, name]))
            hit = point is not None and (role, site, name, seen[site, name]) == tuple(point[:4])
            if hit and point.side == "before":
                kill()
            result = real(*arguments, **options)
            if hit:
                kill()
            return result

        return call

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))


def _append(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(line + "\n")


def _site() -> str | None:
    """Where in the package the call comes from: the nearest line that is not in the functions that write files."""
    frame, nearest = sys._getframe(2), None
    while frame is not None:
        path = frame.f_code.co_filename
        if PACKAGE in path:
            nearest = f"{path.rpartition(PACKAGE)[2]}:{frame.f_code.co_name}"
            if not path.endswith(WRITERS) and frame.f_code.co_name != "write_tensors":
                break
        frame = frame.f_back
    return nearest


def attempt(work: Path, command: list[str], processes: int, *, log: Path | None = None, point: Point | None = None) -> int:
    """Run one stage in processes of its own; returns the exit code of the first that fails, -9 where they were killed."""
    pids, port = work.parent / "pids.txt", str(_free_port())
    pids.unlink(missing_ok=True)
    (work.parent / "printed.txt").unlink(missing_ok=True)
    running = set()
    for rank in range(processes):
        given = [str(pids), None if log is None else str(log), point]
        ranks = {"LOCAL_RANK": str(rank), "RANK": str(rank), "MASTER_PORT": port} if processes > 1 else {}
        pid = os.fork()
        if pid == 0:
            _become(command, work.parent / "printed.txt", ranks, given)
        running.add(pid)
    codes = []
    while running:
        pid, status = os.waitpid(-1, 0)
        running.discard(pid)
        codes.append(os.waitstatus_to_exitcode(status))
        if codes[-1]:  # as Accelerate does it
            for other in running:
                os.kill(other, signal.SIGKILL)
    return next(filter(None, codes), 0)


def _become(command: list[str], printed: Path, ranks: dict[str, str], given: list) -> NoReturn:
    """In a forked process: run the command, as one of several where `ranks` says so, and end."""
    code = 99
    try:
        os.setsid()
        quiet = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        if ranks:  # as Accelerate and torch's launcher set them
            os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "true"} | ranks
        if any(given[1:]):
            watch(*given)
            os.environ[WATCH] = json.dumps(given)  # read by sitecustomize in the processes that it starts
        from landmarks.cli import main

        code = main(command)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def points_of(log: Path) -> list[Point]:
    """Before and after the first and the last call of every site in a process of each role."""
    counted: dict[tuple, Counter] = defaultdict(Counter)
    for pid, *where in map(json.loads, log.read_text().splitlines() if log.exists() else []):
        counted[tuple(where)][pid] += 1
    return [
        Point(*where, number, side)
        for where, counts in sorted(counted.items())
        for number in sorted({1, max(counts.values())})
        for side in ("before", "after")
    ]


class Undisturbed(NamedTuple):
    """A stage that nothing happened to: the folders before it, what it left, and the points at which others are killed."""

    stage: str
    command: list[str]
    processes: int
    before: Path
    contents: dict[str, str]
    points: list[Point]


def undisturbed(place: Path, stages: list[str], processes: int, launched: dict[str, bool]) -> list[Undisturbed]:
    """Run the stages in order; those that only others need too, but without points."""
    work, done = place / "work", []
    work.mkdir()
    for stage in STAGES[: 1 + max(map(STAGES.index, stages))]:
        prepare_for(stage, work)
        command, log, before = commands(stage, work), place / f"{stage}.jsonl", place / f"before-{stage}"
        several = processes if launched[stage] else 1
        if stage in stages:
            shutil.copytree(work, before, symlinks=True)
        if code := attempt(work, command, several, log=log):
            raise RuntimeError(f"{stage}: exit code {code}: {(place / 'printed.txt').read_text()[-2000:]}")
        if stage in stages:
            done.append(Undisturbed(stage, command, several, before, contents(work), points_of(log)))
    return done


def outcome(work: Path, whole: Undisturbed, point: Point) -> str:
    """Kill the stage at the point and run it again: "as undisturbed", or what is wrong."""
    shutil.rmtree(work)
    shutil.copytree(whole.before, work, symlinks=True)
    if (code := attempt(work, whole.command, whole.processes, point=point)) != -signal.SIGKILL:
        return f"was not reached (exit code {code})"
    if code := attempt(work, whole.command, whole.processes):
        return f"exit code {code} when run again: {(work.parent / 'printed.txt').read_text()[-600:]}"
    now = contents(work)
    different = sorted(name for name in now.keys() | whole.contents.keys() if now.get(name) != whole.contents.get(name))
    return f"different: {', '.join(different[:5])}" if different else "as undisturbed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1, choices=(1, 2), help="2: only the stages that processes share, each by two")
    parser.add_argument("--stages", nargs="+", choices=STAGES, help="the stages that are killed; otherwise all")
    parser.add_argument("--only", default="", help="points whose site contains this")
    parser.add_argument("--sample", type=int, help="so many of the points, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    from landmarks.stage import STAGES as ALL

    for name in (*SLOW_TO_IMPORT, *(f"landmarks.{stage.module}" for stage in ALL.values())):  # once, and forked
        importlib.import_module(name)
    stages = chosen.stages or [stage for stage in STAGES if chosen.processes == 1 or ALL[stage].launched]
    began, outcomes = time.monotonic(), defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "sitecustomize.py").write_text(
            f"import json, os\nif {WATCH!r} in os.environ:\n    from kill_points import Point, watch\n"
            f"    pids, log, point = json.loads(os.environ[{WATCH!r}])\n    watch(pids, log, point and Point(*point))\n"
        )
        paths = [folder, str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        points = [
            (stage, point)
            for stage in undisturbed(place, stages, chosen.processes, {name: stage.launched for name, stage in ALL.items()})
            for point in stage.points
            if chosen.only in point.site
        ]
        if chosen.sample is not None:
            points = random.Random(chosen.seed).sample(points, chosen.sample)
        for number, (stage, point) in enumerate(points, start=1):
            said = outcome(place / "work", stage, point)
            outcomes[stage.stage].append((point.site, said))
            left = (time.monotonic() - began) / number * (len(points) - number)
            print(f"{number}/{len(points)} {stage.stage} {tuple(point)}: {said} ({left / 60:.0f} min left)", file=sys.stderr, flush=True)
    print("| stage killed | processes | places in the code | times tried | as undisturbed |\n|---|---:|---:|---:|---:|")
    for stage, tried in outcomes.items():
        good = sum(said == "as undisturbed" for _, said in tried)
        print(f"| {stage} | {chosen.processes} | {len({site for site, _ in tried})} | {len(tried)} | {good} |")
    return int(any(said != "as undisturbed" for tried in outcomes.values() for _, said in tried))


if __name__ == "__main__":
    sys.exit(main())
