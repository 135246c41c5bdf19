"""DELG's local branch: which positions of a map matter, and a short code for each (Cao et al., ECCV 2020, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import LocalSettings

_MOMENTUM = 0.1  # weight of the newest step in the running median, as in BatchNorm's statistics


class LocalMaps(NamedTuple):
    """The output of the branch for a map (n, c, h, w).

    codes           (n, dimensions, h, w); normalised they are the local descriptors
    reconstruction  (n, c, h, w) >= 0
    attention       (n, 1, h, w) > 0, float32
    """

    codes: torch.Tensor
    reconstruction: torch.Tensor
    attention: torch.Tensor


class LocalBranch(nn.Module):
    """Stride-16 map (n, channels, h, w) -> LocalMaps. The attention reads the reconstruction, so that the codes keep what it needs.

    `threshold`, a buffer and so part of every checkpoint, is the running median of the attention over the last training steps
    (on the images of the first process): extraction leaves out features below it. It is 0 until the branch is trained.
    """

    threshold: torch.Tensor

    def __init__(self, channels: int, settings: LocalSettings):
        super().__init__()
        self.encoder = nn.Conv2d(channels, settings.dimensions, 1)
        self.decoder = nn.Conv2d(settings.dimensions, channels, 1)
        hidden = settings.attention_channels
        self.attention = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1, 1)
        )
        self.register_buffer("threshold", torch.zeros(()))

    def forward(self, map: torch.Tensor) -> LocalMaps:
        codes = self.encoder(map)
        reconstruction = F.relu(self.decoder(codes))
        attention = F.softplus(self.attention(reconstruction).float())
        if self.training:
            with torch.no_grad():
                median = attention.median()
                self.threshold.copy_(torch.where(self.threshold == 0, median, self.threshold.lerp(median, _MOMENTUM)))
        return LocalMaps(codes, reconstruction, attention)


def attend(maps: LocalMaps) -> torch.Tensor:
    """Mean over positions of attention x L2-normalised reconstruction: (n, c) float32 (Cao et al., equation 4)."""
    return (maps.attention * F.normalize(maps.reconstruction.float())).mean(dim=(2, 3))
