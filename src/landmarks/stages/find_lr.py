"""find-lr: the loss at rising learning rates, as a curve and a table, and the rate to begin with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from landmarks.config import Config
from landmarks.cuda import is_out_of_memory
from landmarks.data.draws import epoch_length
from landmarks.data.train_set import TrainSet
from landmarks.errors import UserError
from landmarks.gallery.line_chart import line_chart
from landmarks.progress import say
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_text
from landmarks.store.tables import read_train
from landmarks.training.hardware import start_accelerator
from landmarks.training.images import images_of, weights_of
from landmarks.training.memory import more_parts
from landmarks.training.rate_range import measure_rates, smoothed, suggested_rate
from landmarks.training.start import begin_learner

STEPS, LOWEST, HIGHEST = 100, 1e-6, 1.0


def find_lr(config: Config, model: str | None = None, steps: int = STEPS, lowest: float = LOWEST, highest: float = HIGHEST) -> float | None:
    """Write rates/<model>.csv and .svg in the run folder; returns the suggested learning rate, None where no rate lowers the loss.

    The model begins as a training would, with its settings, and is not kept.
    model            of config.models; None: the first that is trained
    steps            rates that are tried, a batch each
    lowest, highest  of them
    Raises UserError for another model, for numbers that are no range, and for memory that is too small.
    """
    names = [name for name, settings in config.models.items() if settings.train and settings.checkpoint is None]
    name = model or (names[0] if names else "")
    if name not in names:
        raise UserError(
            f"no model '{name}' is trained", where="the configuration", next=f"one of {', '.join(names) or 'models'}: find-lr NAME"
        )
    if steps < 5 or not 0 < lowest < highest:
        raise UserError("the rates are no range", where="the command line", next="--steps 100 --lowest 1e-6 --highest 1")
    path = config.tables_folder / config.dataset.train_table
    table, settings = read_train(path), config.train_of(name)
    images = images_of(table, table, settings.overfit, path)
    size = settings.sizes[0]
    # One epoch may have less steps than there are rates; the first size, with all weights learning.
    changed = {"epochs": max(settings.epochs, 1) * steps, "image_size": size, "freeze_backbone_steps": 0, "aspect_batches": False}
    settings = settings.model_copy(update=changed)
    accelerator = start_accelerator(config.run.device, settings.precision)
    learner, _ = begin_learner(name, config.models[name], settings, images)
    weights = weights_of(images, config.tables_folder, settings)
    pixels = config.dataset.max_pixels
    train_set = TrainSet(config.tables_folder, images.ids, images.labels, settings, pixels, weights=weights, sides=learner.model.sides)
    rates = np.geomspace(lowest, highest, steps)
    try:
        losses = measure_rates(name, learner, train_set, settings, accelerator, rates)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        more = more_parts(settings, epoch_length(images.labels, settings.sampler), 1)
        raise UserError(
            "the GPU's memory is not enough",
            where=f"train.batch_size={settings.batch_size}, train.accumulate={settings.parts}, train.image_size={size}",
            next=f"train.accumulate={more}" if more else "a smaller train.image_size, or train.gradient_checkpointing=true",
        ) from None
    rates = rates[: len(losses)]
    suggestion = suggested_rate(rates, losses)
    folder = config.run.folder / "rates"
    smooth = smoothed(losses)
    write_csv(folder / f"{name}.csv", pd.DataFrame({"learning_rate": rates, "loss": losses, "smoothed": smooth}))
    curves = {"loss": (rates.tolist(), losses.tolist()), "smoothed": (rates.tolist(), smooth.tolist())}
    title = f"{name}: loss at rising learning rates"
    write_text(folder / f"{name}.svg", line_chart(title, curves, across="learning rate", log=True, mark=suggestion) + "\n")
    if suggestion is None:
        say(f"find-lr {name}: no rate lowers the loss; {folder / name}.svg has the curve")
    else:
        say(f"find-lr {name}: train.learning_rate={suggestion:.1e}, a tenth of where the loss is lowest; {folder / name}.svg has the curve")
    return suggestion
