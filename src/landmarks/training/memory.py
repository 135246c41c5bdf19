"""In how many parts each process computes its share of a batch, so that the memory of every GPU is enough: found before the first step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch
from accelerate import Accelerator
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from landmarks.config import TrainSettings
from landmarks.cuda import free_memory, is_out_of_memory
from landmarks.data.aspects import crop_shapes
from landmarks.data.sampler import steps_and_part
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.quantities import format_bytes
from landmarks.store.files import write_json
from landmarks.store.json_files import read_object
from landmarks.training.classifier_memory import STATES
from landmarks.training.learner import Learner

FOUND = "accumulate.json"  # in the folder of a training that was begun: a run that resumes it on as many GPUs repeats it
_OPTIMISTIC = 1.3  # the trial decides, so the estimate only leaves out what cannot fit


def choose_parts(
    name: str, folder: Path, learner: Learner, settings: TrainSettings, images: int, accelerator: Accelerator
) -> TrainSettings:
    """The settings with `accumulate`: as they say, else as as many processes found before, else the least with which a step fits every GPU.

    images  that an epoch draws. On a CPU a batch is computed whole.
    The batch stays what the recipe says: only its parts are smaller. Raises UserError where no number of parts fits.
    """
    world, device = accelerator.num_processes, accelerator.device
    possible = list(_possible(settings, images, world))
    if settings.accumulate is not None or not may_run_out(device) or not possible:
        return settings
    before = _found_before(folder, world)
    accelerator.wait_for_everyone()  # all have read it before the first process writes another
    if before in possible:
        return settings.model_copy(update={"accumulate": before})
    fixed, each = estimate(learner, settings, accelerator)
    part = {parts: steps_and_part(images, settings.model_copy(update={"accumulate": parts}), world)[1] for parts in possible}
    free = _least(accelerator, free_memory(device))
    worth_a_trial = [parts for parts in possible if fixed + each * part[parts] <= _OPTIMISTIC * free] or possible[-1:]
    for parts in worth_a_trial:
        if _least(accelerator, float(fits(learner, settings, part[parts], accelerator))):
            if accelerator.is_main_process:
                write_json(folder / FOUND, {"accumulate": parts, "processes": world})
                estimated = f"{format_bytes(fixed + each * part[parts])} by estimate, {format_bytes(free)} free"
                say(f"train {name}: a batch in {parts} parts of {part[parts]} images on each of {world} GPUs ({estimated})")
            accelerator.wait_for_everyone()
            return settings.model_copy(update={"accumulate": parts})
    raise UserError(
        f"the GPU's memory is not enough for {part[possible[-1]]} images at a time, the fewest that train.batch_size allows",
        where=f"train.batch_size={settings.batch_size}, train.image_size={max(settings.sizes)}",
        next="smaller images, train.gradient_checkpointing=true, or a batch_size with more divisors",
    )


def may_run_out(device: torch.device) -> bool:
    """Whether memory that is not enough is an error that can be caught: a CPU's process is killed."""
    return device.type == "cuda"


def estimate(learner: Learner, settings: TrainSettings, accelerator: Accelerator) -> tuple[float, float]:
    """Bytes of a step, known without computing it: those that stay the same, and those for each image of a part.

    The second are what is kept for the gradients, counted on tensors without memory (torch's fake tensors) at the largest images;
    0 where they cannot be counted: the trial decides alone.
    """
    weights = sum(parameter.numel() for parameter in learner.parameters()) * 4
    gradients_and_states = float(weights * (1 + STATES[settings.optimizer] + (1 if settings.ema else 0)))
    # A compiled network decides by itself what is kept; one that is built for each size cannot be built of fake tensors.
    if settings.compile or not learner.model.backbone.is_one_network:
        return gradients_and_states, 0.0
    two, four = (_kept_for_gradients(learner, _largest(learner, settings), part, accelerator) for part in (2, 4))
    each = (four - two) / 2
    return gradients_and_states + max(0.0, two - 2 * each), each


def _kept_for_gradients(learner: Learner, size: tuple[int, int], part: int, accelerator: Accelerator) -> int:
    device, kept = accelerator.device, dict[int, torch.Tensor]()
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        tensors: dict[str, torch.Tensor] = {
            name: fake.from_tensor(tensor) for name, tensor in (*learner.named_parameters(), *learner.named_buffers())
        }
        own = {tensor.untyped_storage()._cdata for tensor in tensors.values()}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage()._cdata] = tensor
            return tensor

        images = torch.empty(part, 3, *size, dtype=torch.uint8, device=device).to(memory_format=torch.channels_last)
        labels = torch.empty(part, dtype=torch.int64, device=device)
        learner.train()
        with saved_tensors_hooks(keep, lambda tensor: tensor), accelerator.autocast():
            torch.func.functional_call(learner, tensors, (images, labels))
        return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


def fits(learner: Learner, settings: TrainSettings, part: int, accelerator: Accelerator) -> bool:
    """Whether a step with a part of so many images fits this process's GPU; weights and statistics stay as they are.

    The learner is one that exchanges nothing with other processes: where one runs out of memory, another would wait for it.
    """
    statistics = [buffer.clone() for buffer in learner.buffers()]
    try:
        return _tried(learner, settings, part, accelerator)
    finally:
        with torch.no_grad():
            for buffer, before in zip(learner.buffers(), statistics, strict=True):
                buffer.copy_(before)
        learner.zero_grad(set_to_none=True)
        if accelerator.device.type == "cuda":
            torch.cuda.empty_cache()


def _tried(learner: Learner, settings: TrainSettings, part: int, accelerator: Accelerator) -> bool:
    device, size = accelerator.device, _largest(learner, settings)
    try:
        # The optimizer's state and, where there are several processes, what they exchange is there from the first step on.
        copies = STATES[settings.optimizer] + (1 if settings.ema else 0) + (1 if accelerator.num_processes > 1 else 0)
        others = [torch.empty_like(parameter) for parameter in learner.parameters() for _ in range(copies)]
        images = torch.zeros(part, 3, *size, dtype=torch.uint8, device=device).to(memory_format=torch.channels_last)
        learner.train()
        with accelerator.autocast():
            loss = learner(images, torch.zeros(part, dtype=torch.int64, device=device))["loss"]
        loss.backward()
        del others
    except RuntimeError as error:
        if is_out_of_memory(error):
            return False
        raise
    return True


def _largest(learner: Learner, settings: TrainSettings) -> tuple[int, int]:
    """Height and width of the largest images, pixels."""
    shapes = crop_shapes(max(settings.sizes), settings.aspect_batches)
    return max((learner.model.sides.nearest(*shape) for shape in shapes), key=math.prod)


def out_of_memory(step: int, folder: Path, settings: TrainSettings, asked: TrainSettings, images: int, world: int) -> UserError:
    """What to say when a later step does not fit, because another program took memory, say.

    asked  the settings as the user wrote them. Where they leave `accumulate` open, the next run begins with more parts.
    """
    more = more_parts(settings, images, world)
    where = f"step {step + 1}, train.accumulate={settings.parts}"
    if more is None:
        return UserError(
            "the GPU's memory is not enough", where=where, next="a smaller train.image_size, or train.gradient_checkpointing=true"
        )
    if asked.accumulate is not None:
        return UserError("the GPU's memory is not enough", where=where, next=f"train.accumulate={more}, with run.overwrite=true")
    write_json(folder / FOUND, {"accumulate": more, "processes": world})
    return UserError("the GPU's memory is not enough", where=where, next=f"the same command: it continues with a batch in {more} parts")


def more_parts(settings: TrainSettings, images: int, world: int) -> int | None:
    """The next number of parts above that of the settings; None where a batch has no more."""
    return next((parts for parts in _possible(settings, images, world) if parts > settings.parts), None)


def _possible(settings: TrainSettings, images: int, world: int) -> Iterable[int]:
    """The numbers of parts that a batch divides into, the fewest first."""
    for parts in range(1, settings.batch_size // world + 1):
        with suppress(UserError):
            steps_and_part(images, settings.model_copy(update={"accumulate": parts}), world)
            yield parts


def _found_before(folder: Path, world: int) -> int | None:
    """None where no run found any, and where it had another number of processes, each of which then has another share of a batch."""
    try:
        found = read_object(folder / FOUND, "what a run found", {"accumulate": int}, {"processes": int}, next="delete it")
    except FileNotFoundError:
        return None
    return found["accumulate"] if found.get("processes", world) == world else None  # an earlier version did not write it


def _least(accelerator: Accelerator, number: float) -> float:
    """Of all processes."""
    return float(accelerator.gather(torch.tensor([number], device=accelerator.device, dtype=torch.float32)).min())
