"""From a map, and a class token where there is one, to one vector."""

from __future__ import annotations

import torch
from torch import nn

from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models.features import Features

EPSILON = 1e-6


def gem(map: torch.Tensor, power: torch.Tensor | float, epsilon: float = EPSILON) -> torch.Tensor:
    """(mean over positions of max(map, epsilon)^power)^(1/power): (n, c, h, w) any float -> (n, c) float32.

    Generalised-mean pooling (Radenovic, Tolias, Chum, PAMI 2019). Power 1 is the mean; the result approaches the maximum as power
    grows. Computed in float32, inside autocast too.
    """
    with torch.autocast(map.device.type, enabled=False):
        map = map.float().clamp(min=epsilon)
        # Powers of the ratio to the largest value neither underflow nor overflow. The result does not depend on the divisor, so
        # the gradient is exact although `largest` is detached.
        largest = map.detach().amax(dim=(2, 3), keepdim=True)
        mean = (map / largest).pow(power).mean(dim=(2, 3))
        return mean.pow(1 / power) * largest.flatten(1)


class Mean(nn.Module):
    """Features -> the mean over positions, (n, channels) float32. Unlike GeM it keeps what is negative."""

    parts = 1  # how many times the channels make the width of the result

    def forward(self, features: Features) -> torch.Tensor:
        return features.map.float().mean(dim=(2, 3))


class GeM(nn.Module):
    """Features -> `gem` of the map, (n, channels) float32. The power is trained, or stays."""

    power: torch.Tensor
    parts = 1

    def __init__(self, power: float = 3.0, trained: bool = True):
        super().__init__()
        value = torch.tensor(float(power))
        if trained:
            self.power = nn.Parameter(value)
        else:  # under the same name in a checkpoint
            self.register_buffer("power", value)

    def forward(self, features: Features) -> torch.Tensor:
        return gem(features.map, self.power)


class ClassToken(nn.Module):
    """Features -> the class token, (n, channels) float32."""

    parts = 1

    def forward(self, features: Features) -> torch.Tensor:
        return _class_token(features)


class ClassTokenAndGeM(GeM):
    """Features -> class token and `gem` of the map, each of length one, joined: (n, 2 channels) float32."""

    parts = 2

    def forward(self, features: Features) -> torch.Tensor:
        halves = _class_token(features), super().forward(features)
        return torch.cat([nn.functional.normalize(half) for half in halves], dim=1)


def create_pooling(settings: ModelSettings, has_class_token: bool) -> Mean | GeM | ClassToken | ClassTokenAndGeM:
    """The pooling that the settings name. Raises UserError for one of a class token where the backbone has none."""
    if settings.pooling.startswith("cls") and not has_class_token:
        raise UserError(
            f"'{settings.backbone}' has no class token", where="models.NAME.pooling", next="models.NAME.pooling=gem, or another backbone"
        )
    if settings.pooling == "mean":
        return Mean()
    if settings.pooling == "cls":
        return ClassToken()
    return (GeM if settings.pooling == "gem" else ClassTokenAndGeM)(settings.gem_power, settings.gem_trained)


def _class_token(features: Features) -> torch.Tensor:
    if features.class_token is None:
        raise ValueError("the backbone has no class token")
    return features.class_token.float()
