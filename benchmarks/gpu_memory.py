"""A GPU whose memory is not enough: smaller batches of extraction, a batch of training in parts. Part of gpu.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from accelerate.state import AcceleratorState

from landmarks.config import ModelSettings, TrainSettings
from landmarks.data.extract_set import Batch
from landmarks.extraction.batch_size import BatchSize
from landmarks.training.hardware import start_accelerator
from landmarks.training.learner import create_learner
from landmarks.training.memory import choose_parts, estimate

Rows = Iterator[tuple]


def out_of_memory(sizes, device: torch.device) -> Rows:
    """Batches that are far too large for the card: it goes on with smaller ones."""
    if device.type != "cuda":
        return
    free = torch.cuda.mem_get_info(device)[0]
    size, rows = BatchSize(512, 10**12), np.zeros((512, 2), np.float32)
    batch = Batch(np.arange(512), torch.zeros(512, 64, 64, 3, dtype=torch.uint8), rows, rows, np.full(512, 64))

    def greedy(part: Batch) -> int:
        torch.empty(len(part.positions) * (free // 100), dtype=torch.uint8, device=device)
        return len(part.positions)

    done = sum(size.compute(greedy, batch))
    fits = size.images((64, 64))
    yield (
        "out of memory: pictures a batch, of 512 that would take 5 x the memory",
        float(fits),
        "",
        "32 to 99",
        done == 512 and 32 <= fits < 100,
    )


def divided_batch(sizes, device: torch.device) -> Rows:
    """A batch of which the estimate says that it fits, on a card of which this process may use less than it thinks."""
    if device.type != "cuda":
        return
    settings = TrainSettings(image_size=224, batch_size=64, precision="float32")
    learner = create_learner("m", ModelSettings(backbone="resnet50", pretrained=False), settings, 1000).to(device)
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = start_accelerator("cuda", "float32")
    fixed, each = estimate(learner, settings, accelerator)
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_allocated(device) + fixed + 0.5 * each * settings.batch_size
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.get_device_properties(device).total_memory, device)
    try:
        with TemporaryDirectory() as folder:
            parts = choose_parts("m", Path(folder), learner, settings, 6400, accelerator).parts
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    yield "out of memory: parts of a training batch of which about half fits", float(parts), "", "2 to 8", 2 <= parts <= 8
