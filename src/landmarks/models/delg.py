"""DELG: one backbone for a global descriptor and local features (Cao, Araujo, Sim, ECCV 2020)."""

from __future__ import annotations

from typing import NamedTuple

import torch

from landmarks.config import ModelSettings
from landmarks.models.global_model import GlobalModel
from landmarks.models.local_branch import LocalBranch, LocalMaps
from landmarks.models.receptive_field import ReceptiveField
from landmarks.models.tap import Tap


class DelgMaps(NamedTuple):
    """One pass over a batch.

    tapped  (n, c16, ~h/16, ~w/16) the backbone's stride-16 map, as the local branch saw it
    deep    (n, c32, ~h/32, ~w/32) the backbone's last map
    local   what the local branch made of `tapped`
    """

    tapped: torch.Tensor
    deep: torch.Tensor
    local: LocalMaps


class DelgModel(GlobalModel):
    """A GlobalModel, called as one, with a local branch on the stride-16 map of the same backbone.

    The branch learns from the map but the map does not learn from the branch: its losses would make the map's activations
    sparse (Cao et al., section 3.4). `stops_gradient = False` lets them through.

    Raises UserError as GlobalModel and Tap do.
    """

    def __init__(self, settings: ModelSettings):
        super().__init__(settings)
        if settings.local is None:
            raise ValueError("settings.local must be set")
        self.stops_gradient = True
        self._tap = Tap(self.backbone, settings.local.layer)
        self.local = LocalBranch(self._tap.channels, settings.local)
        self.local_dimensions = settings.local.dimensions

    def maps(self, images: torch.Tensor) -> DelgMaps:
        """uint8 RGB (n, 3, h, w) -> DelgMaps."""
        tapped, deep = self._tap.maps(self.normalise(images))
        if self.stops_gradient:
            tapped = tapped.detach()
        return DelgMaps(tapped, deep, self.local(tapped))

    def fields(self, height: int, width: int) -> tuple[ReceptiveField, ReceptiveField]:
        """(vertical, horizontal) receptive field of the local map's positions in an image of this size."""
        return self._tap.fields(height, width)
