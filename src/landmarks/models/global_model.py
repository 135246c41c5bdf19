"""The model that describes a photo by one global descriptor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import ModelSettings
from landmarks.models.backbone import create_backbone
from landmarks.models.pooling import GeM


class GlobalModel(nn.Module):
    """uint8 RGB (n, 3, h, w) -> (n, dimensions) float32, rows of length 1.

    backbone -> GeM -> fully connected -> BatchNorm -> L2 (Yokoo et al., section 2; DELG without the BatchNorm). With
    settings.dimensions 0 there is no head: the descriptor is the pooled map. The images are bytes and are normalised here, on
    the device: a quarter of the data to move. `dimensions` is the length of a descriptor.

    Raises UserError as `create_backbone` does.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, settings: ModelSettings, drop_path_rate: float = 0.0):
        super().__init__()
        self.backbone = create_backbone(settings.backbone, settings.pretrained, drop_path_rate)
        self.pooling = GeM(settings.gem_power)
        self.dimensions = settings.dimensions or self.backbone.channels
        self.head: nn.Module = nn.Identity()
        if settings.dimensions:
            linear = nn.Linear(self.backbone.channels, self.dimensions)
            self.head = nn.Sequential(linear, nn.BatchNorm1d(self.dimensions)) if settings.head_batchnorm else nn.Sequential(linear)
        self.register_buffer("mean", 255 * torch.tensor(self.backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(self.backbone.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.describe_map(self.backbone(self.normalise(images)))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 RGB (n, 3, h, w) -> the float32 input of the backbone. Raises TypeError for other images."""
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be uint8 RGB, not {images.dtype}")
        return (images.float() - self.mean) / self.std

    def describe_map(self, map: torch.Tensor) -> torch.Tensor:
        """The backbone's map (n, c, h, w) -> (n, dimensions) float32, rows of length 1."""
        return F.normalize(self.head(self.pooling(map)).float())
