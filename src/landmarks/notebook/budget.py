"""What can be described in the time that is left, from the rate measured so far, and what is dropped where it cannot all be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Budget:
    """What is dropped, in this order: verification, then scales (the largest first, which costs the most, down to one), then images.

    What was dropped does not come back: half of a split at each of several sizes would help nobody.

    scales        at which pictures are still described
    verify        whether there is still to be verification
    verification  seconds that verification takes, given the seconds a model needs for a picture at scale 1
    """

    scales: tuple[float, ...]
    verify: bool = False
    verification: Callable[[Mapping[str, float]], float] = lambda unit: 0.0
    _unit: dict[str, float] = field(default_factory=dict)

    def measured(self, model: str, seconds: float, images: int) -> None:
        """`images` were described by `model` at the present scales in so many seconds; the latest rate counts."""
        self._unit[model] = seconds / images / area(self.scales)

    def seconds(self, images: Mapping[str, int]) -> float:
        """That models need for so many images each, at the present scales; a model that has not run counts as the slowest that has."""
        slowest = max(self._unit.values(), default=0.0)
        return sum(count * self._unit.get(model, slowest) for model, count in images.items()) * area(self.scales)

    def fit(self, left: float, images: Mapping[str, int]) -> list[str]:
        """Drop until what is to be described fits into the seconds that are left, or one scale remains; returns what was dropped."""
        dropped = []
        if self.verify and self.seconds(images) + self.verification(self._unit) > left:
            self.verify = False
            dropped.append("verification")
        while len(self.scales) > 1 and self.seconds(images) > left:
            largest = max(self.scales)
            self.scales = tuple(scale for scale in self.scales if scale != largest)
            dropped.append(f"scale {largest:g}")
        return dropped


def area(scales: tuple[float, ...]) -> float:
    """Pixels over all scales, as a multiple of those at scale 1."""
    return sum(scale**2 for scale in scales)
