"""The stages in order, and the table at the end."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from landmarks.config import BENCHMARKS, Config, verifies
from landmarks.errors import UserError

TOLD = "LANDMARKS_TOLD_FILE"  # where a launched process notes that it stopped with a message to the user


@dataclass(frozen=True)
class Stage:
    """A stage's module and function (imported when run, so that --help is fast) and its line in the help."""

    module: str
    function: str
    help: str
    launched: bool = False  # may run as several processes under Accelerate


STAGES = {
    "sample": Stage("sample", "sample", "render the built-in dataset"),
    "import": Stage("import_photos", "import_photos", "a folder of label/photo.jpg -> a dataset in GLDv2 layout"),
    "prepare": Stage("prepare", "prepare", "a benchmark as its authors distribute it -> tables and ground truth"),
    "download": Stage("download", "download", "fetch what the configuration names and is not there; --dry-run prints the plan"),
    "train": Stage("train", "train", "train the models on train.csv", launched=True),
    "extract": Stage("extract", "extract", "global descriptors of every image", launched=True),
    "clean": Stage("clean", "clean", "train.csv -> train_clean.csv: the images that others of their label confirm"),
    "search": Stage("search", "search", "ensemble, whiten, nearest neighbours -> the first ranking"),
    "extract-local": Stage("extract_local", "extract_local", "local features of the queries and what they found", launched=True),
    "rerank": Stage("rerank", "rerank", "the chain of re-ranking steps"),
    "ablate": Stage("ablate", "ablate", "which steps and settings help, by how much, at what cost"),
    "recognize": Stage("recognize", "recognize", "which landmark each query shows -> a submission id,landmarks, and its GAP"),
    "submit": Stage("submit", "submit", "write and validate submission.csv; upload it to submit.competition where asked to"),
    "bundle": Stage("bundle", "bundle", "all that a notebook without network needs, in one folder"),
    "evaluate": Stage("evaluate", "evaluate", "the score after every step by the dataset's protocol, or of evaluate.submission=FILE"),
    "results": Stage("results", "results", "all evaluations so far, beside the published ones"),
    "overlap": Stage("overlap", "overlap", "photos that the training set shares with queries and index, and what their labels are worth"),
    "report": Stage("report", "report", "an HTML page of results and example queries"),
}


def stages_of(config: Config) -> list[str]:
    """The stages that `run` goes through: what the configuration has no use for is left out."""
    if config.evaluate.submission is not None:
        return ["evaluate"]
    folder = ["download"] if config.download.wanted else []
    prepare = {"sample": ["sample"], "photos": ["import"], "folder": folder}.get(config.dataset.source, ["prepare"])
    models = ["train", "extract"] if config.models else []
    if config.dataset.source == "pictures":  # described for other runs to search
        return [*prepare, *models]
    local = ["extract-local"] if verifies(config.rerank) else []
    submit = ["submit"] if config.dataset.source not in BENCHMARKS else []
    if config.protocol == "recognition":
        return [*prepare, *models, "search", *local, "rerank", "recognize"]
    return [*prepare, *models, "search", *local, "rerank", *submit, "evaluate", "report"]


def run_stage(name: str, config: Config, arguments: list[str]) -> None:
    """Run one stage; `arguments` are the command line that made `config`, for processes launched beside this one."""
    stage = STAGES[name]
    processes = _processes(config) if stage.launched else 1
    if processes > 1:
        _launch(name, config, arguments, processes)
        return
    getattr(importlib.import_module(f"landmarks.stages.{stage.module}"), stage.function)(config)


def run_all(config: Config, arguments: list[str]) -> None:
    """Run every stage in order and print how long each took and where everything lies."""
    from landmarks.summary import print_whereabouts

    seconds = {}
    for name in stages_of(config):
        started = time.perf_counter()
        run_stage(name, config, arguments)
        seconds[name] = time.perf_counter() - started
    print_whereabouts(config, seconds)


def _processes(config: Config) -> int:
    """How many processes share a launched stage: as set, else one a GPU. Inside a launched process: this one."""
    if "LOCAL_RANK" in os.environ:
        return 1
    if config.run.processes:
        return config.run.processes
    if config.run.device == "cpu":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def _launch(name: str, config: Config, arguments: list[str], processes: int) -> None:
    # --multi_gpu also where there is none: with --cpu Accelerate quietly starts a single process.
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        str(processes),
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
        "--num_cpu_threads_per_process",
        str(max(1, (os.cpu_count() or 1) // processes)),
        "-m",
        "landmarks",
        name,
        *arguments,
    ]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told")
        code = subprocess.run(command, check=False, env=os.environ | {TOLD: str(told)}).returncode
        if code and not told.exists():
            raise RuntimeError(f"{name} failed in one of {processes} processes (exit code {code}); its traceback stands above")
    if code:
        raise UserError(
            f"{name} stopped in one of {processes} processes (exit code {code}); its own message stands above",
            next="mend what it says and run the same command again: finished work is kept",
        )
