"""The machine: interpreter, packages, processors, memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from landmarks.doctor.check import Check
from landmarks.doctor.probes import Broken
from landmarks.machine import SHARED_MEMORY, free_shared_memory, memory, through_pipes
from landmarks.quantities import format_bytes

if TYPE_CHECKING:
    from packaging.requirements import Requirement

INSTALL = "rm -f .venv/installed; ./run.sh config  (installs requirements.txt; outside the checkout: pip install landmarks again)"
MIN_PYTHON = (3, 11)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    text = ".".join(map(str, version))
    if version < MIN_PYTHON:
        return Check("Python", "missing", f"{text}, at least 3.11 is needed", "install one, then PYTHON=/path/to/python3 ./run.sh config")
    return Check("Python", "ok", f"{text}, {sys.executable}")


def check_packages(requirements: list[str] | None = None) -> Check:
    """Whether the requirements are installed, in new enough versions. requirements: as `pip` writes them; None = this package's own."""
    from packaging.requirements import Requirement  # a missing package is a line on the screen

    try:
        wanted = [Requirement(text) for text in (metadata.requires("landmarks") if requirements is None else requirements) or ()]
    except metadata.PackageNotFoundError:
        return Check("packages", "note", "this package is not installed itself, so its requirements are unknown")
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    faults = [fault for one in wanted if (fault := _fault(one)) is not None]
    if faults:
        return Check("packages", "missing", "; ".join(faults), INSTALL)
    return Check("packages", "ok", f"{len(wanted)} required, all installed")


def _fault(wanted: Requirement) -> str | None:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed"
    return None if wanted.specifier.contains(version, prereleases=True) else f"{wanted.name} is {version}, not {wanted.specifier}"


def check_torch(ask: Callable[[], dict[str, Any]], device: str) -> list[Check]:
    """torch, and the GPUs that it finds. device: run.device."""
    try:
        facts = ask()
    except Broken as error:
        return [Check("torch", "missing", f"cannot be used: {error}", INSTALL)]
    checks = [Check("torch", "ok", facts["version"])]
    if facts.get("fault") and device != "cpu":
        what, install = facts["fault"]
        checks.append(Check("CUDA", "missing" if device == "cuda" or not facts["gpus"] else "note", what, install))
        if not facts["gpus"]:
            return checks
    if facts["gpus"]:
        cards = ", ".join(f"{card['name']} ({format_bytes(card['memory'])})" for card in facts["gpus"])
        return [*checks, Check("CUDA", "ok", f"{facts['cuda']}: {cards}" + (", not used (run.device=cpu)" if device == "cpu" else ""))]
    why = "this torch is built without CUDA" if facts["cuda"] is None else f"built for CUDA {facts['cuda']}, no GPU found"
    if device == "cuda":
        return [*checks, Check("CUDA", "missing", f"{why}, but run.device=cuda", "run.device=auto, or fix the driver (nvidia-smi)")]
    return [*checks, Check("CUDA", "note", f"{why}: the CPU is used")]


def check_shared_memory(needed: float, free: int | None = None) -> Check:
    """Whether pictures can be handed over through /dev/shm. needed, free: bytes; free None = look; needed 0: none are loaded."""
    free = free_shared_memory() if free is None else free
    found = f"there is no {SHARED_MEMORY}" if free is None else f"{format_bytes(free)} free in {SHARED_MEMORY}"
    if not needed:
        return Check("shared memory", "ok", found)
    found += f", {format_bytes(needed)} needed for pictures that wait"
    if free is None or free < needed:
        return Check("shared memory", "note", f"{found}: {through_pipes(needed)}")
    return Check("shared memory", "ok", found)


def check_faiss(ask: Callable[[], dict[str, Any]]) -> Check:
    try:
        facts = ask()
    except Broken as error:
        return Check("FAISS", "missing", f"cannot be used: {error}", INSTALL)
    version = next((f"{name} {metadata.version(name)}" for name in ("faiss-gpu", "faiss-cpu") if _is_installed(name)), "FAISS")
    if not facts["works"]:
        return Check("FAISS", "missing", f"{version}: a small search gives wrong neighbours", INSTALL)
    return Check("FAISS", "ok", f"{version}, searches on the CPU; a GPU searches with torch")


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def check_memory(needed: float, total: float | None = None) -> Check:
    """needed, total: bytes; total None = the memory of this machine, or of its container."""
    total = memory() if total is None else total
    estimate = f"about {format_bytes(needed)} needed (estimate)"
    if total is None:
        return Check("memory", "note", f"size unknown; {estimate}")
    if needed > total:
        smaller = "a machine with more, a smaller dataset.train_table, or fewer models"
        return Check("memory", "missing", f"{format_bytes(total)}, {estimate}", smaller)
    return Check("memory", "ok", f"{format_bytes(total)}, {estimate}")
