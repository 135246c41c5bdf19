"""doctor: one screen of what this machine has, what the configuration needs, and the next command to type."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from landmarks.config import Config
from landmarks.doctor.check import Check, gigabytes
from landmarks.doctor.dataset import check_dataset
from landmarks.doctor.machine import check_faiss, check_memory, check_packages, check_python, check_torch
from landmarks.doctor.needs import disk_needs, memory_need
from landmarks.doctor.probes import Broken, probe
from landmarks.remote.credentials import HOW_TO, find_credential
from landmarks.store.artefact import MANIFEST
from landmarks.store.disk import free_bytes
from landmarks.store.files import read_array

_COLOURS = {"ok": "green", "note": "yellow", "missing": "bold red"}
_WEIGHTS = {"here": "weights here", "to fetch": "weights to be downloaded", "none": "no weights exist", "random": "untrained"}


def doctor(config: Config, arguments: list[str]) -> bool:
    """Print the screen; whether everything is there that the configuration needs. Nothing is written, nothing is sent.

    arguments  the command line that made `config`, for the next command
    """
    checks = look(config, shlex.join(arguments))
    missing = [check for check in checks if check.state == "missing"]
    console, table = Console(highlight=False), Table(show_header=False, box=None)
    for check in checks:
        table.add_row(f"[{_COLOURS[check.state]}]{check.state}[/]", check.name, check.found.replace("[", "\\["))
    console.print(table)
    run = shlex.join(["./run.sh", *arguments])
    if missing:
        console.print(f"{len(missing)} missing", style=_COLOURS["missing"])
    console.print(f"next: {(missing[0].next if missing else run)}", soft_wrap=True, markup=False)
    return not missing


def look(config: Config, arguments: str) -> list[Check]:
    """Every check, in the order of the screen."""
    checks = [check_python(), check_packages(), *check_torch(partial(probe, "torch"), config.run.device)]
    checks.append(check_faiss(partial(probe, "faiss"), config.run.device))
    models, channels = _check_models(config)
    of_dataset, images = check_dataset(config, arguments)
    if not config.models and images is not None:
        channels = _array_dimensions(config)
    if images is None:
        needs = [Check("memory and disk", "note", f"what is needed can be told when the dataset is there; {_free(config.run.folder)}")]
    else:
        needs = [check_memory(memory_need(config, images, channels)), _check_disk(config, disk_needs(config, images, channels))]
    complete = all(check.state != "missing" for check in of_dataset)
    return [*checks, *models, *needs, _check_credential(config, complete), *of_dataset]


def _check_models(config: Config) -> tuple[list[Check], dict[str, int]]:
    """A check of the models, and the channels of their backbones."""
    if not config.models:
        return [], {}
    try:
        facts = probe("models", json.dumps({name: model.backbone for name, model in config.models.items()}))
    except Broken as error:
        return [Check("models", "missing", f"cannot be built: {error}", "mend models.NAME.backbone, or ./run.sh config")], {}
    found, missing = [], None
    for name, model in config.models.items():
        trained = (config.run.folder / "models" / name / MANIFEST).is_file()
        weights = facts[name]["weights"] if model.pretrained else "random"
        if not trained and weights == "none":
            missing = f"models.{name}.pretrained=false"
        state = "trained" if trained else _WEIGHTS[weights]
        found.append(f"{name}: {model.backbone}, {facts[name]['parameters'] / 1e6:.0f} M parameters, {state}")
    check = Check("models", "missing" if missing else "ok", "; ".join(found), missing)
    return [check], {name: fact["channels"] for name, fact in facts.items()}


def _array_dimensions(config: Config) -> dict[str, int]:
    """Of the user's own descriptors."""
    path = config.tables_folder / "index.npy"
    return {"arrays": read_array(path, mapped=True).shape[-1]} if path.is_file() else {}


def _check_disk(config: Config, needs: dict[str, float]) -> Check:
    there = sum(path.stat().st_size for path in config.run.folder.rglob("*") if path.is_file())
    needed = sum(needs.values())
    what, size = max(needs.items(), key=lambda need: need[1])
    estimate = f"about {gigabytes(needed)} needed (estimate), most for {what} ({gigabytes(size)})"
    found = f"{_free(config.run.folder)}; {estimate}; {gigabytes(there)} are there"
    if needed - there > free_bytes(config.run.folder):
        return Check("disk", "missing", found, "run.folder=FOLDER on a larger disk")
    return Check("disk", "ok", found)


def _free(folder: Path) -> str:
    return f"{gigabytes(free_bytes(folder))} free for {folder}"


def _check_credential(config: Config, complete: bool) -> Check:
    """complete: the dataset is there."""
    credential = find_credential()
    if credential is not None:
        return Check("Kaggle", "ok", f"credential in {credential} (not shown, not tried)")
    if not complete and (config.download.competitions or config.download.datasets):
        return Check("Kaggle", "missing", "no credential, and the dataset is to be downloaded from there", HOW_TO)
    return Check("Kaggle", "note", "no credential: one is needed to download from Kaggle and to upload")
