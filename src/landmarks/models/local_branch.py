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

    codes           (n, dimensions, h, w) float32; normalised they are the local descriptors
    reconstruction  (n, c, h, w) float32, >= 0 where the map is
    attention       (n, 1, h, w) float32, > 0
    """

    codes: torch.Tensor
    reconstruction: torch.Tensor
    attention: torch.Tensor


class LocalBranch(nn.Module):
    """Map (n, channels, h, w) -> LocalMaps. The attention reads the reconstruction, so that the codes keep what it needs.

    positive: the map comes from an activation that leaves nothing below 0, and so does the reconstruction (DELG's ResNets). Behind
    other activations, or none, a ReLU could not reconstruct what is negative.

    Everything is computed in float32, inside autocast too: in bfloat16 most of the strongest positions have the same attention as
    another, and which of them are kept would be chance.

    `threshold`, a buffer and so part of every checkpoint, is the running median of the attention over the last training steps
    (on the images of the first process): extraction leaves out features below it. It is 0 until the branch is trained.
    """

    threshold: torch.Tensor

    def __init__(self, channels: int, settings: LocalSettings, positive: bool = True):
        super().__init__()
        self.positive = positive
        self.encoder = nn.Conv2d(channels, settings.dimensions, 1)
        self.decoder = nn.Conv2d(settings.dimensions, channels, 1)
        hidden = settings.attention_channels
        self.attention = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1, 1)
        )
        self.register_buffer("threshold", torch.zeros(()))

    def forward(self, map: torch.Tensor) -> LocalMaps:
        with torch.autocast(map.device.type, enabled=False):
            codes = self.encoder(map.float())
            reconstruction = self.decoder(codes)
            if self.positive:
                reconstruction = F.relu(reconstruction)
            attention = F.softplus(self.attention(reconstruction))
        if self.training:
            with torch.no_grad():
                median = attention.median()
                self.threshold.copy_(torch.where(self.threshold == 0, median, self.threshold.lerp(median, _MOMENTUM)))
        return LocalMaps(codes, reconstruction, attention)


def attend(maps: LocalMaps) -> torch.Tensor:
    """Mean over positions of attention x L2-normalised reconstruction: (n, c) float32 (Cao et al., equation 4)."""
    return (maps.attention * F.normalize(maps.reconstruction.float())).mean(dim=(2, 3))
