"""The device and number format of a training run."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from landmarks.device import choose_device, resolve_precision
from landmarks.errors import UserError
from landmarks.machine import cores, keep_freed_memory, local_processes
from landmarks.processes import PATIENCE
from landmarks.progress import say

_ACCELERATE_NAMES = {"float32": "no", "float16": "fp16", "bfloat16": "bf16"}


def start_accelerator(device: str, precision: str, *, some_unused: bool = False) -> Accelerator:
    """Accelerate on config.run.device and config.train.precision; the first process prints the choice and the reason.

    Works as a single process and under `accelerate launch`.

    some_unused  there are steps in which some parameters get no gradient: several processes then look for these in every step

    Raises UserError for float16 on a CPU, and as `choose_device` does.
    """
    chosen, reason = choose_device(device)
    format = resolve_precision(precision, chosen)
    if chosen.type == "cpu":
        if format == "float16":
            raise UserError("float16 needs a GPU", where="train.precision", next="train.precision=auto")
        # The launcher gives each process one thread, plain Python gives one process all cores: divide them evenly.
        torch.set_num_threads(max(1, cores() // local_processes()))
        keep_freed_memory()
    else:
        torch.cuda.set_device(chosen)  # Accelerate takes the current one
        torch.backends.cudnn.benchmark = True  # batches have one shape, or a few one after the other
    accelerator = Accelerator(
        mixed_precision=_ACCELERATE_NAMES[format],
        cpu=chosen.type == "cpu",
        kwargs_handlers=[
            DistributedDataParallelKwargs(gradient_as_bucket_view=True, find_unused_parameters=some_unused),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    )
    if accelerator.is_main_process:
        count = accelerator.num_processes
        say(f"train: on {chosen.type} ({reason}), {format}, {count} process{'es' if count > 1 else ''}")
    return accelerator
