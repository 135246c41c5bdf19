"""The journal's numbers for TensorBoard or Weights & Biases, through Accelerate's trackers."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker, TensorBoardTracker, WandBTracker

from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.seeds import seed_of


def require_tracker(kind: str | None) -> None:
    """Raise UserError where the package is missing."""
    if kind is not None and importlib.util.find_spec(kind) is None:
        raise UserError(f"train.track={kind} needs the package {kind}", where="train.track", next=f"pip install {kind}")


class Tracking:
    """Numbers of one training; nothing where `kind` is None or another process writes for all.

    kind   tensorboard: files in <run>/tensorboard/<name>; wandb: in <run>/wandb, and nothing is uploaded unless WANDB_MODE=online
    run    the run folder
    name   of the model
    facts  the settings of the training, shown beside its numbers
    done   steps of an earlier process that goes on here: what it wrote behind them is left out
    """

    def __init__(self, kind: str | None, run: Path, name: str, facts: dict[str, Any], done: int, first: bool):
        self._tracker: GeneralTracker | None = None
        if kind is None or not first:
            return
        if kind == "tensorboard":
            self._tracker = TensorBoardTracker(name, run / "tensorboard", **({"purge_step": done + 1} if done else {}))
            shown = f"tensorboard --logdir {run / 'tensorboard'}"
        else:
            os.environ.setdefault("WANDB_MODE", "offline")
            run.mkdir(parents=True, exist_ok=True)
            id = f"{seed_of(str(run.absolute()), name):x}"
            self._tracker = WandBTracker("landmarks", name=f"{run.name}-{name}", dir=str(run), id=id, resume="allow", config=facts)
            shown = f"wandb sync {run / 'wandb'}/*run-*" if os.environ["WANDB_MODE"] == "offline" else "wandb's page"
        self._tracker.start()
        say(f"train {name}: its numbers are tracked; to see them: {shown}")

    def log(self, line: dict[str, Any]) -> None:
        """A line of the journal: its numbers, at its step."""
        if self._tracker is not None:
            numbers = {name: value for name, value in line.items() if name != "step" and isinstance(value, int | float)}
            self._tracker.log(numbers, step=line["step"])

    def close(self) -> None:
        if self._tracker is not None:
            self._tracker.finish()
