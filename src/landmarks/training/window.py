"""Losses, accuracy and the like of the steps since the last line of the journal."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.errors import UserError


class Window:
    """Collects on the device and reads seldom: a look at a number makes the processor wait for the GPU."""

    def __init__(self, settings: TrainSettings, accelerator: Accelerator, step: int):
        self.settings, self.accelerator, self.first = settings, accelerator, step
        self._steps: list[dict[str, torch.Tensor]] = []

    def add(self, numbers: dict[str, torch.Tensor]) -> None:
        """One step's numbers on this process, scalars on the device; `loss` and `gradient_norm` among them, the same names each time."""
        self._steps.append(numbers)

    def require_finite(self) -> None:
        """Raise UserError naming the first step with a loss or gradient that is not a number."""
        if not self._steps:
            return
        numbers = torch.stack([self._column("loss"), self._column("gradient_norm")])
        if self.accelerator.scaler is not None:
            numbers[1] = 0  # there infinite gradients are normal: the scaler skips the step and scales down
        bad = ~numbers.isfinite()
        if not bad.any():
            return
        step = int(bad.any(dim=0).nonzero()[0])
        what, value = ("gradient", numbers[1, step]) if not bad[0, step] else ("loss", numbers[0, step])
        settings = self.settings
        raise UserError(
            f"training fell apart: the {what} of step {self.first + step + 1} is {value.item()}",
            where=f"train.learning_rate={settings.learning_rate}, train.head_learning_rate_factor={settings.head_learning_rate_factor}, "
            f"train.clip_norm={settings.clip_norm}",
            next="lower one of them, or raise train.warmup, and start again with run.overwrite=true",
        )

    def close(self) -> dict[str, float]:
        """The means over the steps and all processes; the window is empty after it. To be called by every process."""
        self.require_finite()
        names = list(self._steps[0])
        means = self.accelerator.reduce(torch.stack([self._column(name).mean() for name in names]), "mean").tolist()
        self.first += len(self._steps)
        self._steps = []
        return dict(zip(names, means, strict=True))

    def _column(self, name: str) -> torch.Tensor:
        return torch.stack([numbers[name] for numbers in self._steps]).float()
