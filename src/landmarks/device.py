"""Which device computes, and why: one choice for training and extraction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from landmarks.errors import UserError


def choose_device(requested: str) -> tuple[torch.device, str]:
    """The device of this process and the reason in words, for config.run.device ("auto", "cpu" or "cuda").

    With several processes each takes the GPU of its LOCAL_RANK (set by `accelerate launch`).
    Raises UserError where CUDA is requested and absent, or has fewer GPUs than there are processes.
    """
    if requested == "cpu":
        return torch.device("cpu"), "run.device=cpu"
    if not torch.cuda.is_available():
        why = "this torch is built without CUDA" if torch.version.cuda is None else "no CUDA device found"
        if requested == "cuda":
            raise UserError(f"run.device=cuda, but {why}", where="run.device", next="run.device=auto, or fix the driver")
        return torch.device("cpu"), why
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise UserError(
            f"process {number + 1} of this machine has no GPU of its own: there are {count}",
            where="run.processes",
            next=f"run.processes={count}, or run.device=cpu",
        )
    reason = torch.cuda.get_device_name(number)
    return torch.device("cuda", number), reason if count == 1 else f"{reason}, {number + 1} of {count}"


def resolve_precision(requested: str, device: torch.device) -> str:
    """ "auto" becomes bfloat16 on a GPU that has it in hardware (Ampere and later), float32 elsewhere."""
    if requested != "auto":
        return requested
    has_bfloat16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return "bfloat16" if has_bfloat16 else "float32"


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Inference in `precision` ("float32" or "bfloat16"), repeatably: float32 is not rounded to TF32, cuDNN does not benchmark kernels."""
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
