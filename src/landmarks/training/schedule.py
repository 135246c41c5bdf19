"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from landmarks.config import TrainSettings


def learning_rate(step: int, steps: int, settings: TrainSettings) -> float:
    """Rate of step 0..steps-1: a straight rise over the warm-up, then a cosine or a straight line that ends at the final rate.

    The rate of the first step of a warm-up is one step's share of the rise, not 0.
    """
    warmup = round(settings.warmup * steps)
    if step < warmup:
        return settings.peak_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup - 1)
    highest, final = settings.peak_rate, settings.final_learning_rate
    share = (1 + math.cos(math.pi * progress)) / 2 if settings.schedule == "cosine" else 1 - progress
    return final + (highest - final) * share
