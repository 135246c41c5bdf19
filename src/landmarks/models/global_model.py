"""The model that describes a photo by one global descriptor."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import ModelSettings
from landmarks.models.backbone import create_backbone
from landmarks.models.features import Features
from landmarks.models.orthogonal_fusion import OrthogonalFusion
from landmarks.models.pooling import create_pooling
from landmarks.models.shallow_map import ShallowMap
from landmarks.ops.sides import Sides


class GlobalModel(nn.Module):
    """uint8 RGB (n, 3, h, w) -> (n, dimensions) float32, rows of length 1.

    backbone -> GeM -> fully connected -> BatchNorm -> L2 (Yokoo et al., section 2; DELG without the BatchNorm), or another pooling;
    with settings.dolg an OrthogonalFusion with a shallower map follows the pooling.
    With settings.dimensions 0 there is no head: the descriptor is the pooled map. The images are bytes and are normalised here, on
    the device: a quarter of the data to move. `dimensions` is the length of a descriptor; the images have sides that `sides` takes.

    origin  of the backbone, for `create_backbone`

    Raises UserError as `create_backbone`, `create_pooling` and, for settings.dolg, ShallowMap do.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, settings: ModelSettings, drop_path_rate: float = 0.0, origin: dict[str, Any] | None = None):
        super().__init__()
        self.backbone = create_backbone(settings.backbone, settings.pretrained, drop_path_rate, origin)
        self.pooling = create_pooling(settings, self.backbone.has_class_token)
        width = self.pooling.parts * self.backbone.channels
        self.fusion: OrthogonalFusion | None = None
        if settings.dolg is not None:
            self._tap = ShallowMap(self.backbone, settings.dolg.layer, "dolg")
            self.fusion = OrthogonalFusion(width, self._tap.channels, settings.dolg)
            width = self.fusion.width
        self.dimensions = settings.dimensions or width
        self.head: nn.Module = nn.Identity()
        if settings.dimensions:
            linear = nn.Linear(width, self.dimensions)
            self.head = nn.Sequential(linear, nn.BatchNorm1d(self.dimensions)) if settings.head_batchnorm else nn.Sequential(linear)
        self.register_buffer("mean", 255 * torch.tensor(self.backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(self.backbone.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        normalised = self.normalise(images)
        if self.fusion is None:
            return self.describe_features(self.backbone(normalised))
        shallow, deep = self._tap.maps(normalised)
        return self.describe_features(deep._replace(shallow=shallow))

    @property
    def sides(self) -> Sides:
        """The sides of images that the backbone takes."""
        return self.backbone.sides

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 RGB (n, 3, h, w) -> the float32 input of the backbone. Raises TypeError for other images."""
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be uint8 RGB, not {images.dtype}")
        return (images.float() - self.mean) / self.std

    def describe_features(self, features: Features) -> torch.Tensor:
        """What the backbone gives -> (n, dimensions) float32, rows of length 1."""
        pooled = self.pooling(features)
        if self.fusion is not None:
            pooled = self.fusion(pooled, features.shallow)
        return F.normalize(self.head(pooled).float())
