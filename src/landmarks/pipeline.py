"""The stages in order, and one stage run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from landmarks.command import configured_by, next_command
from landmarks.config import Config, RunSettings, chooses, verifies
from landmarks.config.read_yaml import RUN_FILE
from landmarks.config.run_file import as_yaml, differences, has_parts
from landmarks.errors import UserError
from landmarks.launch import launch, process_count
from landmarks.machine import give_freed_memory_back, is_first_process, is_launched
from landmarks.reading import read_text
from landmarks.stage import STAGES

_BEGIN = ("run", "import", "prepare", "train", "extract", "search")  # stages that may make the run folder


def stages_of(config: Config) -> list[str]:
    """The stages that `run` goes through: what the configuration has no use for is left out."""
    from landmarks.scoring.protocol import protocol_named  # which loads pandas: not for --help

    if config.evaluate.submission is not None:
        return ["evaluate"]
    source = config.dataset.kind
    tables = [source.stage] if source.stage else ["download"] if config.download.wanted else []
    models = ["train", "extract"] if config.models else []
    if not source.queries:
        return [*tables, *models]
    verifying = config.protocol != "recognition" and any(model.local for model in config.models.values())
    chosen = chooses(config.rerank) and verifying  # auto then verifies
    local = ["extract-local"] if chosen or verifies(config.rerank) else []
    scoring = [name for name in protocol_named(config.protocol).stages if name != "submit" or not source.is_benchmark]
    return [*tables, *models, "search", *local, "rerank", *scoring]


def begin(stage: str, config: Config, *, keep: bool) -> None:
    """Refuse a run folder that was made with another dataset or other models; else let it keep this configuration.

    keep  whether the configuration is to be kept: not where it is the run's own with some overrides
    Raises UserError, with the command that was meant.
    """
    folder, file = config.run.folder, config.run.folder / RUN_FILE
    if not STAGES[stage].makes or not is_first_process() or config.run.machine:
        return
    if file.is_file() and has_parts(folder) and not config.run.overwrite:
        changed = differences(config, file)
        if changed:
            with configured_by([str(folder)]):
                meant = next_command(stage)
            raise UserError(
                f"this run was made with other settings: {'; '.join(changed)}",
                where=folder,
                next=f"{meant}  (its own configuration), or run.folder=ANOTHER for a new run",
            )
    if folder.is_dir():
        from landmarks.store.files import sweep

        for place in (folder, *filter(Path.is_dir, folder.iterdir())):  # pictures and scores lie beside what has a manifest
            sweep(place)
    if keep and (folder.is_dir() or stage in _BEGIN):
        from landmarks.store.files import write_text

        here = RunSettings(folder=config.run.folder)
        alone = config.run.model_copy(update={name: getattr(here, name) for name in ("machines", "machine", "address")})
        text = as_yaml(config.model_copy(update={"run": alone}))  # what is typed with this folder later is meant for one machine
        if not file.is_file() or read_text(file) != text:
            write_text(file, text)


def run_stage(name: str, config: Config, command: Sequence[str], **options: Any) -> Any:
    """Run one stage; returns what its function returns, None where it ran in processes of its own.

    command  the arguments that made `config`, for these processes
    options  the stage's own arguments
    """
    stage = STAGES[name]
    processes = process_count(config.run) if stage.launched else 1
    several = config.run.machines > 1 and stage.makes and not is_launched()
    if several:
        _require_shared(name)
    if several or processes > 1:
        return launch(name, command, processes, config.run)
    if stage.chain and not (name == "evaluate" and config.evaluate.submission is not None):  # that scores a file, whatever the chain
        config = _with_chosen_steps(name, config, makes=stage.chain == "makes")
    if stage.takes_command:
        options["command"] = list(command)
    try:
        return _function(name)(config, **options)
    except BaseException:
        from landmarks.store.lock import let_go

        let_go()
        raise
    finally:
        give_freed_memory_back()  # what a training kept for its next step is of no use to the search


def _with_chosen_steps(stage: str, config: Config, *, makes: bool) -> Config:
    if not chooses(config.rerank):
        return config
    from landmarks.rerank.resolve import with_chosen_steps

    if stage != "recognize" or config.protocol == "recognition":
        return with_chosen_steps(config, makes=makes)
    # What was chosen for the protocol of the run costs recognition much: it gets steps of its own, and their rankings.
    own = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"protocol": "recognition"})})
    config = config.model_copy(update={"rerank": with_chosen_steps(own, makes=True).rerank})
    _function("rerank")(config)
    return config


def _function(name: str) -> Callable[..., Any]:
    stage = STAGES[name]
    module = importlib.import_module(f"landmarks.{stage.module}")
    function: Callable[..., Any] = getattr(module, stage.function or stage.module.rpartition(".")[2])
    return function


def _require_shared(name: str) -> None:
    """Raise UserError where several machines are asked to do what one of them does."""
    if not STAGES[name].launched:
        work = ", ".join(other for other, stage in STAGES.items() if stage.launched)
        raise UserError(
            f"{name} works on one machine; several share {work}",
            where="run.machines",
            next="run.machines=1; type the stages that are shared one by one, the same on every machine (docs/several-machines.md)",
        )


def run_all(config: Config, command: Sequence[str], *, yes: bool = False) -> None:
    """Run every stage in order and print how long each took and the paths of its files.

    yes  whether a large download needs no question
    """
    from landmarks.summary import print_locations

    seconds = {}
    for name in stages_of(config):
        started = time.perf_counter()
        options = {"yes": yes, "typed": "run"} if name == "download" else {}
        run_stage(name, config, command, **options)
        seconds[name] = time.perf_counter() - started
    print_locations(config.run.folder, config.tables_folder, config.ledger, seconds)
