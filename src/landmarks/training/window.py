"""The numbers of the steps since the last line of the journal: losses, accuracy, gradient norm."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from accelerate import Accelerator

from landmarks.config import TrainSettings
from landmarks.errors import UserError


class Window:
    """Collects numbers on the device and reads them only when asked, since reading makes the CPU wait for the GPU.

    first      the number of steps before those of the window
    images_of  the ids of the images that processes compute in a step, 0, 1, ...
    """

    def __init__(self, settings: TrainSettings, accelerator: Accelerator, first: int, images_of: Callable[[int, Iterable[int]], list[str]]):
        self.settings, self.accelerator, self.first, self.images_of = settings, accelerator, first, images_of
        self._steps: list[dict[str, torch.Tensor]] = []
        self._places: list[int] = []
        self._seen = 0

    def add(self, numbers: dict[str, torch.Tensor] | None) -> None:
        """One step's numbers on this process, scalars on the device; `loss` and `gradient_norm` among them, the same names each time.

        None: the step was left out.
        """
        if numbers is not None:
            self._steps.append(numbers)
            self._places.append(self.first + self._seen)
        self._seen += 1

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
        settings, place, accelerator = self.settings, self._places[step], self.accelerator
        if bad[0, step]:
            what, value, at_fault = "loss", numbers[0, step], range(accelerator.process_index, accelerator.process_index + 1)
        else:  # the gradient of all processes together
            what, value, at_fault = "gradient", numbers[1, step], range(accelerator.num_processes)
        images = listed(self.images_of(place, at_fault))
        on = (
            ""
            if settings.on_nonfinite == "skip"
            else "train.on_nonfinite=skip, which goes on from the last checkpoint without such steps; or "
        )
        if self.accelerator.scaler is not None:
            on += "train.precision=float32, or bfloat16 on a GPU that has it, with run.overwrite=true: float16 ends at 65,504; or "
        raise UserError(
            f"training diverged: the {what} of step {place + 1} is {value.item()}, at the images {images}",
            where=f"train.learning_rate={settings.learning_rate}, train.head_learning_rate_factor={settings.head_learning_rate_factor}, "
            f"train.clip_norm={settings.clip_norm}",
            next=f"{on}lower one of them, or raise train.warmup, and start again with run.overwrite=true",
        )

    def close(self) -> dict[str, float]:
        """The means over the steps and all processes, none where all steps were left out; empty the window. Every process calls it.

        With float16's scaler also `overflows`: how many steps it left out because their gradients exceeded its scale; the mean of
        gradient_norm is that of the others, 0 without any.
        """
        self.require_finite()
        self.first += self._seen
        self._seen, self._places = 0, []
        if not self._steps:
            return {}
        columns = {name: self._column(name) for name in self._steps[0]}
        means = {name: column.mean() for name, column in columns.items()}
        if self.accelerator.scaler is not None:
            finite = columns["gradient_norm"].isfinite()
            means["gradient_norm"] = columns["gradient_norm"].where(finite, 0).sum() / finite.sum().clamp(min=1)
            means["overflows"] = (~finite).sum().float()
        self._steps = []
        return dict(zip(means, self.accelerator.reduce(torch.stack(list(means.values())), "mean").tolist(), strict=True))

    def _column(self, name: str) -> torch.Tensor:
        return torch.stack([numbers[name] for numbers in self._steps]).float()


def listed(ids: list[str], most: int = 32) -> str:
    """The ids of a batch for a message."""
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
