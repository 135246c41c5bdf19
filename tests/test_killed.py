"""Killed at any moment and run again, a run ends with what an undisturbed one gives; tests/kill_points.py tries every point."""

import subprocess
import sys
from pathlib import Path

STAGES, TRIED = ["import", "prepare", "extract"], 6  # quick ones


def test_killed_around_its_files_and_run_again_it_ends_as_an_undisturbed_run(tmp_path):
    """In a process of its own, since what is killed is forked from it: forks of a process with threads can hang."""
    command = [sys.executable, str(Path(__file__).with_name("kill_points.py")), "--stages", *STAGES, "--sample", str(TRIED)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rows = [line.split("|") for line in done.stdout.splitlines()[2:]]
    tried, good = (sum(int(row[column]) for row in rows) for column in (4, 5))
    assert tried == good == TRIED
