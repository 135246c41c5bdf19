"""Whether smaller copies of the training pictures are worth making (train.shrunk unset): by a handful of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from landmarks.data.copies import Cost
from landmarks.quantities import format_bytes, format_seconds

MUCH_WAITING = 0.05  # of the time, for pictures: less is not worth a thought
_MARGIN = 1.5  # that the time saved exceeds the time of making them: both are estimates


@dataclass(frozen=True)
class Figures:
    """What was measured of a training on a GPU.

    waiting            share of its time that it waits for pictures, 0 to 1
    images_per_second  that it trains on, all processes together
    left               images that it still trains on, each as often as it comes
    pictures           of which copies are to be made; 0: they are there
    cost               of one of them
    cores              that make copies, of all machines
    free               bytes on the disk of the run folder
    """

    waiting: float
    images_per_second: float
    left: int
    pictures: int
    cost: Cost
    cores: int
    free: float

    @property
    def size(self) -> float:
        """Bytes of the copies."""
        return self.pictures * self.cost.size

    @property
    def seconds_left(self) -> float:
        return self.left / self.images_per_second

    @property
    def seconds_to_make(self) -> float:
        return self.pictures * self.cost.making / self.cores

    @property
    def seconds_saved(self) -> float:
        """Of `seconds_left`. With copies the training is as fast as its network, or as the cores then prepare pictures."""
        network = self.images_per_second / max(1e-3, 1 - self.waiting)
        prepared = self.images_per_second * self.cost.from_file / self.cost.from_copy
        return max(0.0, self.seconds_left - self.left / min(network, prepared))


def pays(figures: Figures) -> tuple[bool, str]:
    """Whether to make copies and train on them, and why, in words."""
    saved, making, left = map(format_seconds, (figures.seconds_saved, figures.seconds_to_make, figures.seconds_left))
    times = figures.cost.from_file / figures.cost.from_copy
    found = f"{figures.waiting:.0%} of the time waiting for images; smaller copies are prepared {times:.1f} times as fast, "
    found += f"which saves {saved} of {left}"
    if not figures.pictures:
        return figures.waiting > MUCH_WAITING and figures.seconds_saved > 0, f"{found}, and they are there"
    found += f" and takes {making}, and {format_bytes(figures.size)} of {format_bytes(figures.free)} free"
    enough = figures.seconds_saved > _MARGIN * figures.seconds_to_make and figures.size < figures.free
    return figures.waiting > MUCH_WAITING and enough, found
