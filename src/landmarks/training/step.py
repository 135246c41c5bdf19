"""One step of a training: the gradients of a batch, computed in parts, clipped and applied."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from landmarks.config import TrainSettings
from landmarks.data.train_set import Batch
from landmarks.training.recompute import statistics_kept
from landmarks.training.skipped import SkippedImages


class Broken(NamedTuple):
    """A step that was left out. processes: those whose loss is not finite; all where each loss is finite and the gradient is not."""

    processes: list[int]


def one_step(
    wrapped: nn.Module,
    optimizer: AcceleratedOptimizer,
    batches: Iterator[Batch],
    settings: TrainSettings,
    accelerator: Accelerator,
    skipped: SkippedImages | None = None,
) -> dict[str, torch.Tensor] | Broken:
    """One step on the clipped gradients of the accumulated parts.

    wrapped  the learner, as accelerator.prepare returns it
    batches  of `load_batches`, settings.parts of which are a step
    skipped  takes note of images that cannot be read
    Returns the learner's numbers, of this process, and gradient_norm; Broken where this is not finite and the step is left out: weights and
    statistics are as before. Float16's scaler leaves out what exceeds its scale by itself, and the next scale is lower; with it, a step is
    Broken only where a process's loss is not finite. Raises UserError for an image that cannot be read, as the settings say.
    """
    numbers: dict[str, torch.Tensor] = {}
    leaves_out = settings.on_nonfinite == "skip"
    before = {name: buffer.clone() for name, buffer in wrapped.named_buffers()} if leaves_out else {}
    for part in range(settings.parts):
        *tensors, unread = next(batches)
        if skipped is not None:
            skipped.add(unread)
        inputs = [tensor if tensor is None else tensor.to(accelerator.device, non_blocking=True) for tensor in tensors]
        last = part == settings.parts - 1
        with nullcontext() if last else accelerator.no_sync(wrapped):  # gradients are exchanged between processes once a step
            measured = {name: number / settings.parts for name, number in wrapped(*inputs).items()}
            with statistics_kept(wrapped) if settings.gradient_checkpointing else nullcontext():
                accelerator.backward(measured["loss"])
        numbers = {name: numbers.get(name, 0) + number.detach() for name, number in measured.items()}
    numbers["gradient_norm"] = accelerator.clip_grad_norm_(wrapped.parameters(), settings.clip_norm or math.inf)
    broken = _broken(numbers, accelerator) if leaves_out else []
    if not broken or accelerator.scaler is not None:  # a scaler must see each step
        optimizer.step()
    optimizer.zero_grad()
    if not broken:
        return numbers
    for name, buffer in wrapped.named_buffers():
        buffer.copy_(before[name])
    return Broken(broken)


def _broken(numbers: dict[str, torch.Tensor], accelerator: Accelerator) -> list[int]:
    """The processes at fault where the step is to be left out, the same list in each of them; otherwise none."""
    if numbers["gradient_norm"].isfinite():  # of all processes together
        return []
    losses = accelerator.gather(numbers["loss"].float().reshape(1))
    at_fault = (~losses.isfinite()).nonzero().flatten().tolist()
    return at_fault if at_fault or accelerator.scaler is not None else list(range(accelerator.num_processes))
