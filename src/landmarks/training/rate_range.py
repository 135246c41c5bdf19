"""Which learning rate to begin with: the range test (Smith, WACV 2017, section 3.3)."""

from __future__ import annotations

import math

import numpy as np
import torch
from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.data.train_set import TrainSet, load_batches
from landmarks.progress import progress
from landmarks.seeds import seed_of
from landmarks.training.frozen_norms import keeps_statistics
from landmarks.training.learner import Learner
from landmarks.training.optimizer import create_optimizer, set_learning_rate
from landmarks.training.step import Broken, one_step

_SMOOTHING = 0.9  # share of the earlier losses in a smoothed one
_DIVERGED = 4.0  # times the lowest smoothed loss
_FALL = 1e-3  # share of the first loss: less is rounding
_START = 3  # steps whose smoothed loss is hardly smoothed


def measure_rates(
    name: str, learner: Learner, train_set: TrainSet, settings: TrainSettings, accelerator: Accelerator, rates: np.ndarray
) -> np.ndarray:
    """Train `learner` a step at each rate, which rises; returns the losses, (n,) float64 with n <= len(rates).

    The test ends where the smoothed loss is four times its lowest, or no number. A batch is computed at once, in settings.parts parts.
    rates      (m,) of the backbone; the head's and the layers' follow from the settings
    train_set  with as many steps as rates
    Raises UserError for an image that cannot be read.
    """
    device = accelerator.device
    learner.to(device)
    learner.to(memory_format=torch.channels_last)
    wrapped, optimizer = accelerator.prepare(learner, create_optimizer(learner, settings))
    order = train_set.order(parts=settings.parts)
    if settings.freeze_batchnorm is None:
        learner.train_by(settings.model_copy(update={"freeze_batchnorm": keeps_statistics(settings, learner, order.part)}))
    batches = load_batches(train_set, order, order.part, settings.workers, device)
    losses: list[float] = []
    with progress(rates, f"find-lr {name}", "step") as bar:
        for step, rate in enumerate(bar):
            torch.manual_seed(seed_of(settings.seed, "step", step, 0))
            learner.enter(step, 0)
            set_learning_rate(optimizer, float(rate))
            numbers = one_step(wrapped, optimizer, batches, settings, accelerator)
            loss = math.nan if isinstance(numbers, Broken) else float(numbers["loss"])
            losses.append(loss)
            smooth = smoothed(np.array(losses))
            if not math.isfinite(loss) or smooth[-1] > _DIVERGED * smooth.min():
                break
    return np.array(losses)


def smoothed(losses: np.ndarray) -> np.ndarray:
    """The exponential moving average of the losses (n,), without the pull of its start (Kingma and Ba, ICLR 2015, section 3)."""
    average, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        found.append(average / (1 - _SMOOTHING**count))
    return np.array(found)


def suggested_rate(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """A tenth of the rate at which the smoothed loss is lowest, the rule of fastai's range test; None where it does not fall.

    Its other rule, the steepest fall, follows the differences between batches where these are larger than what a step learns.
    rates, losses  (n,)
    """
    whole = np.isfinite(losses)
    smooth = smoothed(losses[whole])
    if not len(smooth) or smooth.argmin() < _START or smooth.min() > (1 - _FALL) * smooth[0]:
        return None
    return float(rates[whole][smooth.argmin()]) / 10
