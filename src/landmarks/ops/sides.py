"""The sides of images that a network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Size(NamedTuple):
    """In pixels."""

    height: int
    width: int


@dataclass(frozen=True)
class Sides:
    """Multiples of `step` pixels, `smallest` at least (itself a multiple)."""

    step: int = 1
    smallest: int = 1

    def __str__(self) -> str:
        return f"multiples of {self.step} from {self.smallest} on"

    def nearest(self, height: float, width: float) -> Size:
        """The size that is taken and nearest to this one, side by side."""
        return Size(*(max(self.smallest, self.step * round(side / self.step)) for side in (height, width)))

    def one(self, side: float) -> int:
        """The side that is taken and nearest to this one."""
        return self.nearest(side, side).height


ANY = Sides()
