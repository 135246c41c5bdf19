"""The training loop: from the starting weights, or the last checkpoint, to the end of the last epoch."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from landmarks.config import TrainSettings
from landmarks.cuda import is_out_of_memory
from landmarks.data.copies import Copies
from landmarks.data.draws import epoch_length
from landmarks.data.sampler import steps_and_part
from landmarks.data.train_set import TrainSet, load_batches
from landmarks.models.architectures import synchronise_batchnorm
from landmarks.progress import progress, say
from landmarks.seeds import seed_of
from landmarks.training.best import BestWeights
from landmarks.training.copies_pay import MUCH_WAITING
from landmarks.training.ema import WeightAverage
from landmarks.training.frozen_norms import choose_frozen_norms, few_images
from landmarks.training.going_over import GoingOver
from landmarks.training.journal import append_line, remove_lines_after
from landmarks.training.learner import Learner
from landmarks.training.left_out import LeftOut
from landmarks.training.memory import choose_parts, out_of_memory
from landmarks.training.optimizer import create_optimizer, set_learning_rate
from landmarks.training.resume import read_resume, require_processes, write_resume
from landmarks.training.schedule import learning_rate
from landmarks.training.skipped import SkippedImages
from landmarks.training.step import Broken, one_step
from landmarks.training.tracking import Tracking
from landmarks.training.validation import AT, Validation
from landmarks.training.window import Window
from landmarks.waiting import Timed


def run_training(
    name: str,
    folder: Path,
    learner: Learner,
    train_set: TrainSet,
    settings: TrainSettings,
    accelerator: Accelerator,
    validation: Validation | None = None,
    copies: Copies | None = None,
) -> dict[str, float]:
    """Train `learner` in place; its folder gets metrics.jsonl and, every few minutes, a checkpoint to resume from.

    name        of the model, for messages
    copies      smaller copies of the pictures that it may go over to
    validation  measured after every epoch, or as settings say; where the best weights are to be kept, the learner has these in the end
    Returns the last line of the journal. Raises UserError for an unreadable image, a loss that is not finite, and memory that is too small.
    """
    first, device = accelerator.is_main_process, accelerator.device
    learner.to(device)
    learner.to(memory_format=torch.channels_last)
    drawn = epoch_length(train_set.labels, settings.sampler)
    asked, settings = settings, choose_parts(name, folder, learner, settings, drawn, accelerator)
    part = steps_and_part(drawn, settings, accelerator.num_processes)[1]
    counted = part * (accelerator.num_processes if device.type == "cuda" else 1)  # on CPUs BatchNorm is not synchronised
    settings = choose_frozen_norms(name, folder, learner, settings, counted, accelerator)
    if device.type == "cuda" and accelerator.num_processes > 1:
        learner = synchronise_batchnorm(learner)
    wrapped, optimizer = accelerator.prepare(learner, create_optimizer(learner, settings))
    scaler = accelerator.scaler
    average = WeightAverage(learner, settings.ema) if settings.ema else None
    averages = average.tensors if average is not None else None
    done = read_resume(folder, learner, optimizer.optimizer, scaler, averages)
    accelerator.wait_for_everyone()
    order = train_set.order(accelerator.process_index, accelerator.num_processes, done, parts=settings.parts)
    skipped = SkippedImages(name, folder, train_set.ids)
    images_a_step = order.part * settings.parts * accelerator.num_processes
    tracking = Tracking(settings.track, folder.parents[1], name, asked.model_dump(mode="json"), done, first)
    if first:
        remove_lines_after(folder, done)
        if done:
            say(f"train {name}: continues after step {done} of {order.steps}")

    learner.enter(done, done // order.steps_per_epoch)
    if first and (few := few_images(name, learner, counted)):
        say(few)
    changed = require_processes(folder, learner, accelerator)
    if changed and first:
        say(f"train {name}: {changed}")
    going_over = GoingOver(name, folder, copies, train_set, accelerator)
    going_over.repeat()
    batches = Timed(load_batches(train_set, order, order.part, settings.workers, device))
    window = Window(settings, accelerator, done, lambda *where: [str(train_set.ids[row]) for row in order.rows_of(*where)])
    left_out = LeftOut(name, folder, window, first)
    best = BestWeights(folder)
    every = settings.validation_steps or order.steps_per_epoch
    line: dict[str, float] = {}
    bar = progress(None, f"train {name}", "image", total=order.steps * images_a_step, done=done * images_a_step, hidden=not first)
    logged = saved = time.monotonic()
    with bar:
        for step in range(done, order.steps):
            # The random numbers of a step (dropout) derive from its number, so that a resumed run repeats them.
            torch.manual_seed(seed_of(settings.seed, "step", step, accelerator.process_index))
            rate = learning_rate(step, order.steps, settings)
            set_learning_rate(optimizer, rate)
            learner.enter(step, step // order.steps_per_epoch)
            try:
                numbers = one_step(wrapped, optimizer, batches, settings, accelerator, skipped)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise out_of_memory(step, folder, settings, asked, drawn, accelerator.num_processes) from None
            window.add(None if isinstance(numbers, Broken) else numbers)
            left_out.take_note(step, numbers if isinstance(numbers, Broken) else None)
            if average is not None:
                average.update(step + 1)
            bar.update(images_a_step)
            finished, now = step + 1, time.monotonic()
            if finished % settings.log_steps == 0 or finished == order.steps:
                speed, means = (finished - window.first) * images_a_step / (now - logged), window.close()
                line = {
                    "step": finished,
                    "epoch": finished / order.steps_per_epoch,
                    **means,
                    "learning_rate": rate,
                    "images_per_second": round(speed, 2),
                    "waiting_for_images": round(batches.share_waited(), 3),
                }
                logged = now
                if first:
                    append_line(folder, line)
                    tracking.log(line)
                    if means:
                        _show(bar, line, learner)
                # In the first line the loading processes are started.
                to_come = (order.steps - finished) * images_a_step if finished - done > settings.log_steps else 0
                if to_come and going_over.at_line(line["waiting_for_images"], speed, to_come):
                    del batches  # whose processes end
                    ahead = train_set.order(accelerator.process_index, accelerator.num_processes, finished, parts=settings.parts)
                    batches = Timed(load_batches(train_set, ahead, order.part, settings.workers, device))
                    logged = time.monotonic()
            if validation is not None and (finished % every == 0 or finished == order.steps):
                started = time.monotonic()
                window.require_finite()
                with average.applied() if average is not None else nullcontext():
                    score = validation.measure(learner, (finished - 1) // order.steps_per_epoch, accelerator, settings.parts)
                    is_best = first and settings.keep == "best" and best.offer(finished, score, learner)
                if first:
                    measured = {"step": finished, "epoch": finished / order.steps_per_epoch, "validation_map": score}
                    append_line(folder, measured)
                    tracking.log(measured)
                    note = ", the best so far" if is_best else ""
                    say(f"train {name}: step {finished}: mAP@{AT} of the held-out images {score:.2%}{note}")
                line["validation_map"] = score
                logged += time.monotonic() - started
            # Every process has the same weights, so the first alone decides and writes.
            if first and finished < order.steps and now - saved >= 60 * settings.checkpoint_minutes:
                window.require_finite()
                write_resume(folder, finished, learner, optimizer.optimizer, scaler, averages)
                saved = time.monotonic()
    tracking.close()
    if average is not None:
        average.apply()
    if first and settings.keep == "best":
        best.apply(learner)
        line |= {"kept_step": best.step, "validation_map": best.score}
        say(f"train {name}: kept are the weights of step {best.step}, mAP@{AT} {best.score:.2%}")
    learner.eval()
    return line


def _show(bar: tqdm, line: dict[str, float], learner: Learner) -> None:
    untrained_loss = math.log(learner.classifier.classes)
    local = f", local {line['loss_attention']:.2f}, reconstruction {line['loss_reconstruction']:.3f}" if "loss_attention" in line else ""
    loss = line.get("loss_global", line["loss"])
    waits = f", {line['waiting_for_images']:.0%} of the time waiting for images" if line["waiting_for_images"] > MUCH_WAITING else ""
    bar.set_postfix_str(f"loss {loss:.2f} (ln C {untrained_loss:.2f}){local}, accuracy {line['accuracy']:.1%}{waits}", refresh=False)
