"""Which NVIDIA cards of this machine torch can use, and, where it cannot use one, why and what to install."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from landmarks.machine import is_launched

# The least driver for a CUDA version (CUDA release notes, table "CUDA Toolkit and Minimum Required Driver Version").
_LEAST_DRIVER = {13: 580, 12: 525, 11: 450}
_OLDER_BUILD = "https://download.pytorch.org/whl/cu126"  # torch's last builds for Maxwell, Pascal and Volta; driver 525 is enough
# How libraries say it that ask for memory without torch (cuBLAS, cuDNN, cuSOLVER, the CUDA runtime itself).
_OUT_OF_MEMORY = ("CUDA out of memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED", "HOST_ALLOCATION_FAILED")
_INSTALL_OLDER = f"pip install --force-reinstall torch torchvision --index-url {_OLDER_BUILD}"


@dataclass(frozen=True)
class Fault:
    """Why cards are not used, and what to install."""

    what: str
    next: str


@dataclass(frozen=True)
class Cards:
    """usable: the numbers of the cards that torch can use; fault: what is wrong with the others, None where there are none."""

    usable: tuple[int, ...]
    fault: Fault | None


@cache
def find_cards() -> Cards:
    """The cards of this process, looked at once."""
    if not torch.cuda.is_available():
        return Cards((), absent(torch.version.cuda, driver_version()))
    built, usable, faults = torch.cuda.get_arch_list(), [], []
    for number in range(torch.cuda.device_count()):
        try:
            card = torch.cuda.get_device_properties(number)
        except RuntimeError as error:  # it is broken, or another process has it for itself
            faults.append(_does_not_start(error))
            continue
        # The architectures of AMD's cards have other names.
        if torch.version.hip is not None or supports((card.major, card.minor), built):
            usable.append(number)
        else:
            faults.append(_unsupported(card.name, (card.major, card.minor), built))
    return Cards(tuple(usable), faults[0] if faults else None)


def own_cards() -> tuple[int, ...]:
    """The cards that are this process's to use: all that torch can use, or the one of its number among launched processes."""
    usable = find_cards().usable
    return usable[int(os.environ["LOCAL_RANK"]) :][:1] if is_launched() else usable


def show_usable_cards(environment: MutableMapping[str, str]) -> None:
    """Hide the others from a process with this environment: Accelerate gives process n card n, whichever that is."""
    cards = find_cards()
    if cards.usable and cards.fault is not None:
        visible = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(visible[card] if visible else str(card) for card in cards.usable)


def absent(cuda: str | None, driver: tuple[int, int] | None) -> Fault | None:
    """Why torch finds no card although a driver is loaded; None where none is.

    cuda    the version that torch is built with, None for a build without
    driver  its version, None where there is none
    """
    if driver is None:
        return None
    version = ".".join(map(str, driver))
    if cuda is None:
        what = f"an NVIDIA driver ({version}) is loaded, but this torch is built without CUDA"
        return Fault(what, "pip install --force-reinstall torch torchvision  (the build for CUDA, from PyPI)")
    least = _LEAST_DRIVER.get(int(cuda.partition(".")[0]))
    if least is not None and driver[0] < least:
        what = f"the NVIDIA driver {version} is too old for CUDA {cuda}, which this torch is built for: it takes {least} or later"
        return Fault(what, f"update the driver, or {_INSTALL_OLDER}")
    what = f"an NVIDIA driver ({version}) is loaded, but torch finds no card"
    return Fault(what, "look at nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with its GPUs (docker run --gpus all)")


def supports(capability: tuple[int, int], built: Sequence[str]) -> bool:
    """Whether a build for these architectures ("sm_80", "compute_90", "sm_90a") runs on a card of this capability.

    Machine code runs on later cards of the same major version, PTX ("compute_...") on all later ones; what ends in "a" on this capability
    alone, and what ends in "f" on later ones of the same major version (CUDA programming guide, compute capabilities).
    """
    for name in built:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", name)
        if found is None:
            continue
        version, same_major = (int(found[2]), int(found[3])), int(found[2]) == capability[0]
        if version == capability or (version < capability and found[4] != "a" and (same_major or (found[1], found[4]) == ("compute", ""))):
            return True
    return False


def free_memory(device: torch.device) -> float:
    """Bytes of a card's memory that this process may still use, what torch keeps for it among them; of a CPU, any number."""
    if device.type != "cuda":
        return float("inf")
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory was not enough, whichever library found it out."""
    said = isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    return said or isinstance(error, torch.OutOfMemoryError)


def driver_version(root: Path = Path("/")) -> tuple[int, int] | None:
    """Major and minor version of the loaded NVIDIA driver, None where there is none."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = _said_by(root / "usr/lib/wsl/lib/nvidia-smi")
    found = re.search(r"\s(\d{3,})\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _said_by(program: Path) -> str:
    """What nvidia-smi says of the driver where the kernel does not: in Windows' subsystem for Linux; "" where there is none."""
    try:
        asked = [str(program), "--query-gpu=driver_version", "--format=csv,noheader"]
        return " " + subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _does_not_start(error: RuntimeError) -> Fault:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Fault(f"torch cannot use a card of this machine: {reason}", "look at nvidia-smi: is one broken, or in use by another program?")


def _unsupported(name: str, capability: tuple[int, int], built: Sequence[str]) -> Fault:
    card = "{}.{}".format(*capability)
    what = f"this torch has no code for {name} (compute capability {card}); it is built for {', '.join(built) or 'no card'}"
    newest = max((int(re.sub(r"\D", "", arch) or 0) for arch in built), default=0)
    if newest >= 10 * capability[0] + capability[1]:
        return Fault(what, _INSTALL_OLDER)
    return Fault(what, "pip install --upgrade torch torchvision")
