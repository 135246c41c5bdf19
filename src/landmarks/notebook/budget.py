"""What can be described in the time that is left, at the measured rate, and what is dropped when it does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Budget:
    """What is dropped, in this order: verification, then scales (the largest first, which costs the most, down to one), then images.

    What was dropped is not restored: a split described at many different scales would be of no use.

    scales        at which pictures are still described
    verify        whether verification is still planned
    verification  gives the seconds that verification takes, from the seconds per picture at scale 1, by model
    """

    scales: tuple[float, ...]
    verify: bool = False
    verification: Callable[[Mapping[str, float]], float] = lambda unit_seconds: 0.0
    _unit_seconds: dict[str, float] = field(default_factory=dict)

    def measured(self, model: str, seconds: float, images: int) -> None:
        """Record that `model` took so many seconds for so many images at the present scales; the latest rate counts."""
        self._unit_seconds[model] = seconds / images / area(self.scales)

    def seconds(self, images: Mapping[str, int]) -> float:
        """Seconds for so many images by each model, at the present scales; a model without a rate yet counts as the slowest one."""
        slowest = max(self._unit_seconds.values(), default=0.0)
        return sum(count * self._unit_seconds.get(model, slowest) for model, count in images.items()) * area(self.scales)

    def fit(self, left: float, images: Mapping[str, int]) -> list[str]:
        """Drop until these images fit into the `left` seconds, or one scale remains; returns what was dropped, in words."""
        dropped: list[str] = []
        if self.verify and self.seconds(images) + self.verification(self._unit_seconds) > left:
            self.verify = False
            dropped.append("verification")
        while len(self.scales) > 1 and self.seconds(images) > left:
            largest = max(self.scales)
            self.scales = tuple(scale for scale in self.scales if scale != largest)
            dropped.append(f"scale {largest:g}")
        return dropped


def area(scales: tuple[float, ...]) -> float:
    """Pixels at all scales together, as a multiple of those at scale 1."""
    return sum(scale**2 for scale in scales)
