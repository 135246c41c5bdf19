"""Extraction of all jobs of a stage, by one process or by many that share the shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from landmarks.config import Config, RunSettings
from landmarks.datasets.images import require_images
from landmarks.extraction.describe import make_shards
from landmarks.extraction.jobs import ExtractionJob, local_job, new_local_bytes
from landmarks.extraction.processor import Processor, choose_processor, open_model
from landmarks.models.global_model import GlobalModel
from landmarks.processes import Processes, all_processes
from landmarks.progress import progress, say
from landmarks.store.artefact import MANIFEST
from landmarks.store.disk import require_space


def run_extraction(config: Config, stage: str, plan: Callable[[str], Iterable[ExtractionJob]]) -> list[Path]:
    """Run all jobs of `plan(precision)`; returns the folders of their outputs, in order.

    Under `accelerate launch` shard s belongs to process s % processes. What exists is not made again, so an interrupted run
    continues with its next shard. `plan` is called twice and should be lazy, so that the seconds of an artefact count from the
    moment its turn comes.

    Raises UserError for a picture that is missing or damaged (extract.on_error=stop), for outputs made with other settings
    (run.overwrite=false), and for a disk that is too small.
    """
    processor = choose_processor(config.run.device, config.extract.precision)
    processes = all_processes(processor.device)
    if processes.first:
        say(f"{stage} on {processor}")
        _prepare([job for job in plan(processor.precision) if not job.is_complete()], config.run)
    processes.meet()  # no shard is written before the first process has removed the outputs of other settings
    open_last = lru_cache(maxsize=1)(lambda folder: open_model(folder, processor, config.extract.gem_power))
    folders: list[Path] = []
    for job in plan(processor.precision):
        folders += [output.artefact.folder for output in job.outputs]
        if job.is_complete():
            if processes.first:
                say(f"{job.name}: up to date")
            continue
        if not processes.first:
            for output in job.outputs:
                output.artefact.share()
        model = open_last(job.model_folder)
        unmade = [output.path(shard, job.shard_ids(shard)) for shard in job.shards for output in job.unmade(shard)]
        _make_own_shards(job, model, processor, processes)
        if processes.first:
            processes.wait_for(unmade, "the shards of the other processes")
            job.seal(model.dimensions)
    processes.wait_for([folder / MANIFEST for folder in folders], "the first process to finish")
    return folders


def extract_features(config: Config, stage: str, model: str, wanted: dict[str, np.ndarray]) -> list[Path]:
    """Make the local features of those of `wanted` (split -> ids) that have none yet; returns and raises as `run_extraction`."""
    return run_extraction(
        config, stage, lambda precision: (local_job(config, model, split, ids, precision) for split, ids in wanted.items())
    )


def _prepare(jobs: list[ExtractionJob], run: RunSettings) -> None:
    """Raise UserError for what can be known beforehand, then prepare the folders."""
    strict = [job for job in jobs if job.settings.on_error == "stop"]
    for (folder, split, anywhere), ids in {(job.images_folder, job.split, job.anywhere): job.ids for job in strict}.items():
        require_images(folder, split, ids, anywhere)  # once for all models
    for output in (output for job in jobs for output in job.outputs):
        output.artefact.reserve()  # all of them before any is changed: none is left half begun where another process makes one
    for job in jobs:
        for output in job.outputs:
            output.artefact.begin(precious=True, overwrite=run.overwrite)
            for shard in job.shards:
                if not job.is_made(output, shard):  # removed, so that every process sees that it is to be made again
                    output.path(shard, job.shard_ids(shard)).unlink(missing_ok=True)
    _require_space(jobs, run.folder)


def _require_space(jobs: list[ExtractionJob], run_folder: Path) -> None:
    needed = sum(map(new_local_bytes, jobs))
    if needed == 0:
        return
    local = jobs[0].settings.local
    smaller = ["extract.local.storage=int8"] if local.storage != "int8" else []
    smaller += [f"extract.local.max_features={max(1, local.max_features // 2)}"]
    smaller += ["extract.local.images=returned"] if local.images == "all" else []
    words = require_space(run_folder, "local features", needed, ", or ".join([*smaller, "run.folder on a larger disk"]))
    say(f"local features: {words}")


def _make_own_shards(job: ExtractionJob, model: GlobalModel, processor: Processor, processes: Processes) -> None:
    """Make those of this process's shards that do not exist yet."""
    own = processes.own(job.shards)
    unmade = [shard for shard in own if job.unmade(shard)]
    if len(unmade) < len(own) and processes.first:
        say(f"{job.name}: {len(own) - len(unmade)} of {len(own)} shards are there, continuing with the others")
    if not unmade:
        return
    what = f"{job.model} {job.split}" + (f", 1 of {processes.count} processes" if processes.count > 1 else "")
    total, to_describe = sum(len(job.shard_ids(shard)) for shard in own), sum(len(job.lacking(shard)) for shard in unmade)
    with progress(None, what, "image", total=total, done=total - to_describe, hidden=not processes.first) as bar:
        make_shards(job, unmade, [model], processor, bar)
