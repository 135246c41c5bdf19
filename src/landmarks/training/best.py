"""The best weights so far by validation, in a file beside the checkpoint to resume from."""

from __future__ import annotations

import contextlib
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from landmarks.models.checkpoint import write_tensors

BEST = "best.safetensors"


class BestWeights:
    """The weights with the highest score. A training that resumes before them repeats its scores and finds the same ones.

    step   finished steps of the best weights, 0 where there are none
    score  of these
    """

    def __init__(self, folder: Path):
        self._path = folder / BEST
        self.step, self.score = 0, float("-inf")
        with contextlib.suppress(SafetensorError, FileNotFoundError, KeyError, ValueError), safe_open(self._path, framework="pt") as file:
            header = file.metadata() or {}
            self.step, self.score = int(header["step"]), float(header["score"])

    def offer(self, step: int, score: float, learner: nn.Module) -> bool:
        """Write the learner's weights where they are the best; whether they are. Among equal ones the first stays."""
        if score < self.score or (score == self.score and self.step and self.step <= step):
            return False
        self.step, self.score = step, score
        write_tensors(self._path, learner.state_dict(), {"step": str(step), "score": repr(score)})
        return True

    def apply(self, learner: nn.Module) -> None:
        """Give the learner the best weights."""
        learner.load_state_dict(load_file(self._path))
