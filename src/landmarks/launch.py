"""A stage as several processes, of this machine or of several, under Accelerate."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from landmarks.config import RunSettings
from landmarks.errors import UserError
from landmarks.lifeline import environment_of_child, run_to_end
from landmarks.machine import cores, forget_other_launches, is_launched
from landmarks.progress import say
from landmarks.shortage import ended_from_outside

# Names a file: a launched process makes it when it stopped with a message to the user, and the launcher writes why they do not meet.
REFUSAL_FILE = "LANDMARKS_REFUSAL_FILE"
# Instead of the file that `accelerate config` saved, from which everything would be taken that the command line does not say.
_CONFIGURATION = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "debug": False, "use_cpu": False}


def process_count(run: RunSettings) -> int:
    """How many processes of this machine share a launched stage: as set, else one a GPU. Inside a launched process: 1, this one."""
    if is_launched():
        return 1
    if run.processes:
        return run.processes
    if run.device == "cpu":
        return 1
    from landmarks.cuda import find_cards

    return max(1, len(find_cards().usable))


def launch(name: str, command: Sequence[str], processes: int, run: RunSettings) -> None:
    """Run the stage `name` with the arguments `command` in so many processes of this machine.

    run  names the other machines, each of which launches as many
    Where this process is interrupted, they are ended and waited for. Nothing is read from the user's own configuration of Accelerate.
    Raises UserError where one of them stopped with a message to the user, was ended from outside, or they do not meet; RuntimeError where
    one failed otherwise.
    """
    if run.machines > 1:
        others = f"run.machine=0 to {run.machines - 1}, one on each"
        say(f"{name}: machine {run.machine} of {run.machines}; it begins when all of them run this command ({others}), at {run.address}")
    with tempfile.TemporaryDirectory() as folder:
        refusal, configuration = Path(folder, "refusal"), Path(folder, "accelerate.json")
        configuration.write_text(json.dumps(_CONFIGURATION), encoding="ascii")
        words = [word for option in _options(processes, run, configuration).items() for word in map(str, option)]
        # --multi_gpu also where there is none: with --cpu Accelerate quietly starts a single process.
        line = [sys.executable, "-m", "landmarks.launched", "--multi_gpu", *words, "-m", "landmarks", name, *command]
        environment = environment_of_child() | {REFUSAL_FILE: str(refusal)}
        forget_other_launches(environment)
        if run.device != "cpu":
            from landmarks.cuda import show_usable_cards

            show_usable_cards(environment)
        code = run_to_end(line, environment)
        refused = refusal.read_text(encoding="utf-8") if refusal.exists() else None
    if code:
        raise _failure(name, processes, run, code, refused)


def _failure(name: str, processes: int, run: RunSettings, code: int, refused: str | None) -> Exception:
    """refused: what is in the file of REFUSAL_FILE; None: it was not made."""
    if refused:
        several = "a free port in run.address, and the same command on every machine, within 15 minutes"
        return UserError(f"the processes cannot meet: {refused}", next=several if run.machines > 1 else "the same command again")
    if refused is not None:
        return UserError(
            f"{name} stopped in one of {processes} processes (exit code {code}); its own message is above",
            next="fix what it says and run the same command again: finished work is kept",
        )
    who, fewer = f"one of {processes} processes of {name}", "fewer of them (run.processes), or fewer of those that load pictures for them"
    ended = ended_from_outside(who, code, f"{fewer} (train.workers, extract.workers)")
    return ended or RuntimeError(f"{name} failed in one of {processes} processes (exit code {code}); its traceback is above")


def _options(processes: int, run: RunSettings, configuration: Path) -> dict[str, object]:
    options: dict[str, object] = {
        "--config_file": configuration,
        "--gpu_ids": "all",
        "--num_processes": processes * run.machines,
        "--num_machines": run.machines,
        "--machine_rank": run.machine,
        "--mixed_precision": "no",
        "--dynamo_backend": "no",
        "--main_process_port": 0,
        "--num_cpu_threads_per_process": max(1, cores() // processes),
    }
    if run.machines > 1:
        host, _, port = (run.address or "").rpartition(":")
        options |= {"--main_process_ip": host, "--main_process_port": int(port), "--rdzv_backend": "static"}
    return options
