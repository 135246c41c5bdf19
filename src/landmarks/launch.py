"""A stage as several processes of this machine, under Accelerate."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from landmarks.config import RunSettings
from landmarks.errors import UserError
from landmarks.lifeline import environment_of_child, run_to_end

REFUSAL_FILE = "LANDMARKS_REFUSAL_FILE"  # names a file: a launched process makes it when it stopped with a message to the user


def process_count(run: RunSettings) -> int:
    """How many processes share a launched stage: as set, else one a GPU. Inside a launched process: 1, this one."""
    if "LOCAL_RANK" in os.environ:
        return 1
    if run.processes:
        return run.processes
    if run.device == "cpu":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def launch(name: str, command: Sequence[str], processes: int) -> None:
    """Run the stage `name` with the arguments `command` in so many processes.

    Where this process is interrupted, they are ended and waited for.
    Raises UserError where one of them stopped with a message to the user, RuntimeError where one failed otherwise.
    """
    # --multi_gpu also where there is none: with --cpu Accelerate quietly starts a single process.
    options = {
        "--num_processes": processes,
        "--num_machines": 1,
        "--mixed_precision": "no",
        "--dynamo_backend": "no",
        "--main_process_port": 0,
        "--num_cpu_threads_per_process": max(1, (os.cpu_count() or 1) // processes),
    }
    words = [word for option in options.items() for word in map(str, option)]
    line = [sys.executable, "-m", "landmarks.launched", "--multi_gpu", *words, "-m", "landmarks", name, *command]
    with tempfile.TemporaryDirectory() as folder:
        refusal = Path(folder, "refusal")
        code = run_to_end(line, environment_of_child() | {REFUSAL_FILE: str(refusal)})
        refused = refusal.exists()
    if code and not refused:
        raise RuntimeError(f"{name} failed in one of {processes} processes (exit code {code}); its traceback is above")
    if code:
        raise UserError(
            f"{name} stopped in one of {processes} processes (exit code {code}); its own message is above",
            next="fix what it says and run the same command again: finished work is kept",
        )
