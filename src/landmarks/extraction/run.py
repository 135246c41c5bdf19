"""The way through all that is to be described, by one process or by many that share it shard by shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState

from landmarks.config import Config
from landmarks.datasets.images import require_images
from landmarks.device import choose_device, resolve_precision
from landmarks.errors import UserError
from landmarks.extraction.describe import describe_shards, open_model
from landmarks.extraction.work import Work, local_bytes, local_work
from landmarks.models.delg import DelgModel
from landmarks.models.global_model import GlobalModel
from landmarks.progress import progress, say
from landmarks.store.artefact import MANIFEST
from landmarks.store.disk import require_space

_WAITING_SECONDS = 10  # until a process says what it is waiting for


def run_extraction(config: Config, stage: str, plan: Callable[[str], Iterable[Work]]) -> list[Path]:
    """Do all of `plan(precision)`; returns the folders of what it makes, in order.

    Under `accelerate launch` shard s belongs to process s % processes; what exists is not made again, so a run that was cut off
    goes on at its next shard. `plan` is called twice and should be lazy, so that the seconds of an artefact count from the
    moment its turn comes.

    Raises UserError for a picture that is missing or damaged (extract.on_error=stop), for what was made with other settings
    (run.overwrite=false), and for a disk that is too small.
    """
    device, reason = choose_device(config.run.device)
    state = PartialState(cpu=device.type == "cpu")
    precision = resolve_precision(config.extract.precision, device)
    if state.is_main_process:
        say(f"{stage} on {device.type}: {reason}; {precision}")
        _prepare(config, [work for work in plan(precision) if not work.is_complete()])
    state.wait_for_everyone()  # no shard is written before the first process has cleared what other settings made
    folders, model, loaded = [], None, None
    for work in plan(precision):
        folders += [output.artefact.folder for output in work.outputs]
        if work.is_complete():
            if state.is_main_process:
                say(f"{work.name}: up to date")
            continue
        if loaded != work.model:
            model, loaded = open_model(config, work.model, precision, device), work.model
        if work.local is not None and not isinstance(model, DelgModel):
            folder = config.run.folder / "models" / work.model
            raise UserError("this model was trained without a local branch", where=folder, next="./run.sh train with the same settings")
        unmade = [output.path(shard, work.ids_of(shard)) for shard in work.shards for output in work.unmade(shard)]
        _make_shards(work, model, config, precision, device, state)
        if state.is_main_process:
            _wait_for(unmade, "the shards of the other processes", state)
            for output in work.outputs:
                output.seal(work.ids, model.dimensions)
    _wait_for([folder / MANIFEST for folder in folders], "the first process to finish", state)
    return folders


def extract_features(config: Config, stage: str, model: str, wanted: dict[str, np.ndarray]) -> list[Path]:
    """Make the local features of those of `wanted` (split -> ids) that have none yet; returns and raises as `run_extraction`."""
    return run_extraction(
        config, stage, lambda precision: (local_work(config, model, split, ids, precision) for split, ids in wanted.items())
    )


def _prepare(config: Config, plan: list[Work]) -> None:
    """Fail on what can be known beforehand, then make the folders ready."""
    if config.extract.on_error == "stop":
        for split, ids in {work.split: work.ids for work in plan}.items():
            require_images(config.tables_folder, split, ids)
    for work in plan:
        for output in work.outputs:
            output.artefact.begin(precious=True, overwrite=config.run.overwrite)
            for shard in work.shards:
                if not work.is_made(output, shard):  # every process must see that it is to be made again
                    output.path(shard, work.ids_of(shard)).unlink(missing_ok=True)
    _require_space(config, plan)


def _require_space(config: Config, plan: list[Work]) -> None:
    needed = sum(local_bytes(config, work) for work in plan)
    if needed == 0:
        return
    local = config.extract.local
    smaller = ["extract.local.storage=int8"] if local.storage != "int8" else []
    smaller += [f"extract.local.max_features={max(1, local.max_features // 2)}"]
    smaller += ["extract.local.images=returned"] if local.images == "all" else []
    words = require_space(config.run.folder, "local features", needed, ", or ".join([*smaller, "run.folder on a larger disk"]))
    say(f"local features: {words}")


def _make_shards(work: Work, model: GlobalModel, config: Config, precision: str, device: torch.device, state: PartialState) -> None:
    """Make those of this process's shards that are not there."""
    own = work.shards[state.process_index :: state.num_processes]
    unmade = [shard for shard in own if work.unmade(shard)]
    if len(unmade) < len(own) and state.is_main_process:
        say(f"{work.name}: {len(own) - len(unmade)} of {len(own)} shards are there, going on with the others")
    if not unmade:
        return
    ids = [work.lacking(shard) for shard in unmade]
    what = f"{work.model} {work.split}" + (f", 1 of {state.num_processes} processes" if state.num_processes > 1 else "")
    total, open_images = sum(len(work.ids_of(shard)) for shard in own), sum(map(len, ids))
    with progress(None, what, "image", total=total, done=total - open_images, hidden=not state.is_main_process) as bar:
        for shard, described in zip(unmade, describe_shards(work, ids, model, config, precision, device, bar), strict=True):
            for output in work.unmade(shard):
                output.write(shard, work.ids_of(shard), described)


def _wait_for(paths: list[Path], what: str, state: PartialState) -> None:
    """Wait by looking at the files: a collective call would give up on processes that are slower by half an hour."""
    began, told = time.monotonic(), False
    while missing := [path for path in paths if not path.exists()]:
        if not told and time.monotonic() - began > _WAITING_SECONDS and state.is_main_process:
            say(f"waiting for {what}: {len(missing)} missing, first {missing[0]}")
            told = True
        time.sleep(0.2)
