"""Traits: the named decisions that define a landmark, most of them shared with its look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .seeds import digest_number, generator

Option = TypeVar("Option")


class Traits:
    """Named random decisions of one landmark.

    Every decision is drawn from its name, and the first draw of a name is kept. It comes from the family (equal for all
    look-alikes) or, for some of the names, which differ from landmark to landmark, from the landmark itself.

    family, own: words that name the two sources.
    shared: probability that a decision is the family's.
    """

    def __init__(self, family: str, own: str, shared: float = 0.7) -> None:
        self.family, self.own, self.shared = family, own, shared
        self._drawn: dict[str, Any] = {}  # the type depends on the method that drew the name

    def _generator(self, name: str) -> np.random.Generator:
        coin = digest_number(self.own, name, "coin") % 10_000 / 10_000
        return generator(self.family if coin < self.shared else self.own, name)

    def family_pick(self, name: str, options: Sequence[Option]) -> Option:
        """One of the options, the same for the whole family (the kind of hall inside, for example)."""
        return options[digest_number(self.family, name) % len(options)]

    def pick(self, name: str, options: Sequence[Option]) -> Option:
        """One of the options, all equally likely; repeat an option to make it likelier."""
        if name not in self._drawn:
            self._drawn[name] = options[int(self._generator(name).integers(len(options)))]
        return self._drawn[name]

    def number(self, name: str, low: float, high: float) -> float:
        """A number in [low, high]; look-alikes that share it still differ by a few percent of the range."""
        if name not in self._drawn:
            value = self._generator(name).uniform(low, high) + generator(self.own, name, "jitter").uniform(-0.08, 0.08) * (high - low)
            self._drawn[name] = float(np.clip(value, low, high))
        return self._drawn[name]

    def count(self, name: str, low: int, high: int) -> int:
        """A whole number in low..high, both included."""
        return self.pick(name, range(low, high + 1))

    def chance(self, name: str, probability: float) -> bool:
        """True with the given probability."""
        if name not in self._drawn:
            self._drawn[name] = bool(self._generator(name).random() < probability)
        return self._drawn[name]

    def colour(self, name: str, options: Sequence[tuple[int, int, int]]) -> np.ndarray:
        """(3,) float64 RGB 0..255: one of the options, a little off in every landmark."""
        return np.clip(np.array(self.pick(name, options), float) + generator(self.own, name, "tint").normal(0, 5, 3), 0, 255)

    def noise(self, name: str) -> np.random.Generator:
        """The landmark's own generator for stains, reliefs and other details that its look-alikes do not share."""
        return generator(self.own, name, "noise")
