"""Steps that are left out because their loss or gradient is no finite number (train.on_nonfinite=skip)."""

from __future__ import annotations

from pathlib import Path

from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.training.journal import append_line
from landmarks.training.step import Broken
from landmarks.training.window import Window, listed

_IN_A_ROW = 10  # the weights are at fault then, not the images


class LeftOut:
    """Lists them in the journal, {"step": ..., "left_out": [ids]}, and on the screen.

    name   of the model, for messages
    first  whether this process writes for all
    """

    def __init__(self, name: str, folder: Path, window: Window, first: bool):
        self._name, self._folder, self._window, self._first = name, folder, window, first
        self._in_a_row = 0

    def take_note(self, step: int, broken: Broken | None) -> None:
        """Of every step, 0, 1, ... Raises UserError where too many in a row are left out."""
        self._in_a_row = self._in_a_row + 1 if broken else 0
        if not broken:
            return
        if self._first:
            ids = self._window.images_of(step, broken.processes)  # from the order of a whole epoch
            append_line(self._folder, {"step": step + 1, "left_out": ids})
            say(f"train {self._name}: step {step + 1} left out, its gradient is not finite, at the images {listed(ids)}")
        if self._in_a_row == _IN_A_ROW:
            raise UserError(
                f"training diverged: the gradients of {_IN_A_ROW} steps in a row, to step {step + 1}, are not finite",
                where="train.learning_rate",
                next="lower it, or raise train.warmup, and start again with run.overwrite=true",
            )
