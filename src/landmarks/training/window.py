"""The numbers of the steps since the last line of the journal: losses, accuracy, gradient norm."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.errors import UserError


class Window:
    """Collects numbers on the device and reads them only when asked, since reading makes the CPU wait for the GPU.

    first  the number of steps before those of the window
    """

    def __init__(self, settings: TrainSettings, accelerator: Accelerator, first: int):
        self.settings, self.accelerator, self.first = settings, accelerator, first
        self._steps: list[dict[str, torch.Tensor]] = []

    def add(self, numbers: dict[str, torch.Tensor]) -> None:
        """One step's numbers on this process, scalars on the device; `loss` and `gradient_norm` among them, the same names each time."""
        self._steps.append(numbers)

    def require_finite(self) -> None:
        """Raise UserError for the first step with a loss or gradient norm that is not finite."""
        if not self._steps:
            return
        numbers = torch.stack([self._column("loss"), self._column("gradient_norm")])
        if self.accelerator.scaler is not None:
            numbers[1] = 0  # with float16 infinite gradients are normal: the scaler skips the step and lowers its scale
        bad = ~numbers.isfinite()
        if not bad.any():
            return
        step = int(bad.any(dim=0).nonzero()[0])
        what, value = ("gradient", numbers[1, step]) if not bad[0, step] else ("loss", numbers[0, step])
        settings = self.settings
        raise UserError(
            f"training diverged: the {what} of step {self.first + step + 1} is {value.item()}",
            where=f"train.learning_rate={settings.learning_rate}, train.head_learning_rate_factor={settings.head_learning_rate_factor}, "
            f"train.clip_norm={settings.clip_norm}",
            next="lower one of them, or raise train.warmup, and start again with run.overwrite=true",
        )

    def close(self) -> dict[str, float]:
        """The means over the steps and all processes, and empty the window. To be called by every process."""
        self.require_finite()
        names = list(self._steps[0])
        means = self.accelerator.reduce(torch.stack([self._column(name).mean() for name in names]), "mean").tolist()
        self.first += len(self._steps)
        self._steps = []
        return dict(zip(names, means, strict=True))

    def _column(self, name: str) -> torch.Tensor:
        return torch.stack([numbers[name] for numbers in self._steps]).float()
