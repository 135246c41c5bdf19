"""Which device computes, and why: one choice for training and extraction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from landmarks.cuda import Fault, find_cards
from landmarks.errors import UserError
from landmarks.machine import is_launched


def choose_device(requested: str) -> tuple[torch.device, str]:
    """The device of this process and the reason in words, for config.run.device ("auto", "cpu" or "cuda").

    With several processes each takes the GPU of its LOCAL_RANK (set by `accelerate launch`).
    Raises UserError where CUDA is requested and absent, or has fewer GPUs than there are processes.
    """
    if requested == "cpu":
        return torch.device("cpu"), "run.device=cpu"
    cards = find_cards()
    if not cards.usable:
        why = "this torch is built without CUDA" if torch.version.cuda is None else "no CUDA device found"
        fault = cards.fault or Fault(why, "run.device=auto")
        if requested == "cuda":
            raise UserError(f"run.device=cuda, but {fault.what}", where="run.device", next=fault.next)
        return torch.device("cpu"), why if cards.fault is None else f"{fault.what}; to use it: {fault.next}"
    number, count = int(os.environ["LOCAL_RANK"]) if is_launched() else 0, len(cards.usable)
    if number >= count:
        raise UserError(
            f"process {number + 1} of this machine has no GPU of its own: there are {count}",
            where="run.processes",
            next=f"run.processes={count}, or run.device=cpu",
        )
    card = cards.usable[number]
    reason = torch.cuda.get_device_name(card)
    reason = reason if count == 1 else f"{reason}, {number + 1} of {count}"
    return torch.device("cuda", card), reason if cards.fault is None else f"{reason}; not used: {cards.fault.what}"


def resolve_precision(requested: str, device: torch.device) -> str:
    """ "auto" becomes bfloat16 on a GPU that has it in hardware (Ampere and later), float16 on one that has that alone (from 7.0 on, such
    as V100 and T4, which compute bfloat16 slower than float32), float32 elsewhere.
    """
    if requested != "auto":
        return requested
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)
    return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Inference in `precision` ("float32", "float16" or "bfloat16"), repeatably: float32 is not rounded to TF32, cuDNN tries no kernels."""
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.float16 if precision == "float16" else torch.bfloat16, enabled=precision != "float32"),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
