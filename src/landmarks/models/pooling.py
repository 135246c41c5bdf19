"""Generalised-mean pooling (Radenovic, Tolias, Chum, PAMI 2019)."""

from __future__ import annotations

import torch
from torch import nn

EPSILON = 1e-6


def gem(map: torch.Tensor, power: torch.Tensor | float, epsilon: float = EPSILON) -> torch.Tensor:
    """(mean over positions of max(map, epsilon)^power)^(1/power): (n, c, h, w) any float -> (n, c) float32.

    power 1 is the mean; the result approaches the maximum as power grows. Computed in float32, inside autocast too.
    """
    with torch.autocast(map.device.type, enabled=False):
        map = map.float().clamp(min=epsilon)
        # Powers of the ratio to the largest value neither underflow nor overflow. The result does not depend on the divisor, so
        # the gradient is exact although `largest` is detached.
        largest = map.detach().amax(dim=(2, 3), keepdim=True)
        mean = (map / largest).pow(power).mean(dim=(2, 3))
        return mean.pow(1 / power) * largest.flatten(1)


class GeM(nn.Module):
    """`gem` with a trained power."""

    def __init__(self, power: float = 3.0):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(float(power)))

    def forward(self, map: torch.Tensor) -> torch.Tensor:
        return gem(map, self.power)
