"""Runs every stage of a tiny run where files may have so many bytes at most, then again without a limit, and compares the result.

    python tests/full_disk.py [--stages train extract]

The limit is the way to a full disk that needs no rights: writes end early or fail, anywhere. A stage must then end with exit code 2 and
name the file, or with 0 where all of its files are smaller. The table is that of docs/reliability.md.
"""

import argparse
import importlib
import os
import resource
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from kill_points import SLOW_TO_IMPORT
from killed_world import STAGES, commands, contents, prepare_for

LIMITS = (0, 300, 3_000, 30_000)  # bytes


def attempt(command: list[str], limit: int | None) -> tuple[int, str]:
    """Run a stage in a process of its own; returns its exit code and what it printed, through a pipe, which has no limit."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            from landmarks.cli import main

            code = main(command)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, errors="replace") as printed:
        text = printed.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def outcome(work: Path, before: Path, command: list[str], whole: dict[str, str], limit: int) -> str:
    shutil.rmtree(work)
    shutil.copytree(before, work, symlinks=True)
    code, text = attempt(command, limit)
    if code not in (0, 2) or "Traceback" in text or (code == 2 and "are free" not in text):
        return f"exit code {code}: {text[-1000:]}"
    again, text = attempt(command, None)
    if again:
        return f"exit code {again} when run again: {text[-1000:]}"
    now = contents(work)
    different = sorted(name for name in now.keys() | whole.keys() if now.get(name) != whole.get(name))
    return f"different: {', '.join(different[:5])}" if different else "refused" if code else "fits"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="the stages that are tried; otherwise all")
    chosen, bad = parser.parse_args(), 0
    from landmarks.stage import STAGES as ALL

    for name in (*SLOW_TO_IMPORT, *(f"landmarks.{stage.module}" for stage in ALL.values())):  # once, and forked
        importlib.import_module(name)
    print("| stage | times tried | refused, and then as undisturbed | no file so large |\n|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work, before, after = (Path(folder, name) for name in ("work", "before", "after"))
        work.mkdir()
        for stage in STAGES:
            prepare_for(stage, work)
            command = commands(stage, work)
            shutil.copytree(work, before, symlinks=True)
            code, text = attempt(command, None)
            if code:
                raise RuntimeError(f"{stage}: exit code {code}: {text[-2000:]}")
            if stage in chosen.stages:
                whole = contents(work)
                shutil.copytree(work, after, symlinks=True)
                said = [outcome(work, before, command, whole, limit) for limit in LIMITS]
                shutil.rmtree(work)
                after.rename(work)
                print(f"| {stage} | {len(said)} | {said.count('refused')} | {said.count('fits')} |", flush=True)
                for one in (one for one in said if one not in ("refused", "fits")):
                    print(f"{stage}: {one}", file=sys.stderr, flush=True)
                    bad += 1
            shutil.rmtree(before)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
