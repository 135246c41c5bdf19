"""The shared memory that the loading processes of a configuration hand over pictures through."""

from __future__ import annotations

import math

from landmarks.config import Config, TrainSettings, verifies
from landmarks.data.ahead import extraction_waits, images_of_extraction, shared_memory_needed, training_waits
from landmarks.data.aspects import crop_shapes
from landmarks.extraction.jobs import decoded_side
from landmarks.machine import loader_workers


def shared_memory_need(config: Config, cards: int) -> float:
    """Bytes that must be free on this machine for its training and its extraction, which do not run at the same time; 0 without models.

    cards  GPUs that are used; 0: the CPU
    """
    if not config.models:
        return 0.0
    processes = config.run.processes or max(1, cards)
    waiting = [_of_extraction(config, processes, cards > 0)]
    waiting += [_of_training(config.train_of(name), processes, config.run.machines, cards > 0) for name in config.trained_models]
    return shared_memory_needed(max(waiting), processes)


def _of_training(settings: TrainSettings, processes: int, machines: int, on_gpu: bool) -> int:
    part = max(1, settings.batch_size // (processes * machines * settings.parts))
    largest = max(math.prod(shape) for size in settings.sizes for shape in crop_shapes(size, settings.aspect_batches))
    return training_waits(part, 3 * largest, loader_workers(settings.workers, on_gpu=on_gpu, processes=processes))


def _of_extraction(config: Config, processes: int, on_gpu: bool) -> int:
    local = verifies(config.rerank) and any(model.local for model in config.models.values())
    side = decoded_side(config.extract, descriptors=True, local=local)
    images = images_of_extraction((side, side), config.extract.batch_size)
    return extraction_waits(side, images, loader_workers(config.extract.workers, on_gpu=on_gpu, processes=processes))
