"""DOLG: what local features add to the pooled map (Yang et al., "DOLG: Single-Stage Image Retrieval with Deep Orthogonal Fusion of Local
and Global Features", ICCV 2021, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import DolgSettings

_ATROUS_CHANNELS = 512  # of each of the parallel convolutions, as in the authors' code
_EPSILON = 1e-12


def orthogonal_to(local: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """local - (local . whole) / |whole|^2 whole: rows (n, c) any float -> (n, c) float32; `local` itself where `whole` is zero.

    The published formula projects the feature of each position, and averages over the positions. Both are linear: of the average,
    as here, it gives the same. Computed in float32, inside autocast too.
    """
    with torch.autocast(local.device.type, enabled=False):
        local, whole = local.float(), whole.float()
        share = (local * whole).sum(dim=1, keepdim=True) / whole.square().sum(dim=1, keepdim=True).clamp(min=_EPSILON)
        return local - share * whole


class AtrousConvolutions(nn.Module):
    """Map (n, channels, h, w) -> (n, width, h, w) >= 0: 1x1, dilated 3x3 and the map's mean side by side, joined by 1x1 (section 3.2)."""

    def __init__(self, channels: int, width: int, dilations: Sequence[int]):
        super().__init__()
        self.plain = nn.Conv2d(channels, _ATROUS_CHANNELS, 1)
        self.dilated = nn.ModuleList(nn.Conv2d(channels, _ATROUS_CHANNELS, 3, padding=rate, dilation=rate) for rate in dilations)
        self.mean = nn.Conv2d(channels, _ATROUS_CHANNELS, 1)
        self.joined = nn.Conv2d((2 + len(dilations)) * _ATROUS_CHANNELS, width, 1)

    def forward(self, map: torch.Tensor) -> torch.Tensor:
        mean = F.relu(self.mean(map.mean(dim=(2, 3), keepdim=True))).expand(-1, -1, *map.shape[2:])
        return F.relu(self.joined(torch.cat([mean, self.plain(map), *(dilated(map) for dilated in self.dilated)], dim=1)))


class OrthogonalFusion(nn.Module):
    """Pooled map (n, pooled) and shallow map (n, channels, h, w), any float -> (n, 2 settings.channels) float32.

    whole      the pooled map, through a fully connected layer
    local      atrous convolutions -> 1x1 -> BatchNorm, each position of length one times its attention, averaged over the positions
    joined are `whole` and what of `local` is orthogonal to it
    """

    def __init__(self, pooled: int, channels: int, settings: DolgSettings):
        super().__init__()
        width = settings.channels
        self.whole = nn.Linear(pooled, width)
        self.atrous: nn.Module = nn.Identity()
        if settings.dilations:
            self.atrous, channels = AtrousConvolutions(channels, width, settings.dilations), width
        self.features = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        self.attention = nn.Conv2d(width, 1, 1)
        self.width = 2 * width

    def forward(self, pooled: torch.Tensor, map: torch.Tensor) -> torch.Tensor:
        whole = self.whole(pooled)
        features = self.features(self.atrous(map))
        attention = F.softplus(self.attention(F.relu(features)).float())
        local = (attention * F.normalize(features.float())).mean(dim=(2, 3))
        return torch.cat([whole.float(), orthogonal_to(local, whole)], dim=1)
