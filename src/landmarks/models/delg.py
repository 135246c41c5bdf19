"""DELG: one backbone for a global descriptor and local features (Cao, Araujo, Sim, ECCV 2020)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from landmarks.config import ModelSettings
from landmarks.models.features import Features
from landmarks.models.field import ReceptiveField
from landmarks.models.global_model import GlobalModel
from landmarks.models.local_branch import LocalBranch, LocalMaps
from landmarks.models.shallow_map import ShallowMap


class DelgMaps(NamedTuple):
    """One pass over a batch.

    shallow  (n, c16, ~h/16, ~w/16) the backbone's map at stride 14 to 16, the input of the local branch
    deep     what the backbone ends in
    local    the output of the local branch
    """

    shallow: torch.Tensor
    deep: Features
    local: LocalMaps


class DelgModel(GlobalModel):
    """A GlobalModel, called as one, with a local branch on a map at stride 14 to 16 of the same backbone.

    The gradients of the branch do not reach the backbone: its losses would make the map's activations sparse (Cao et al.,
    section 3.4). `stops_gradient = False` lets them through.

    positive  whether the branch reconstructs values >= 0 only; None: as the map is, whose values an activation may have cut

    Raises UserError as GlobalModel and ShallowMap do.
    """

    def __init__(
        self,
        settings: ModelSettings,
        drop_path_rate: float = 0.0,
        origin: dict[str, Any] | None = None,
        positive: bool | None = None,
    ):
        super().__init__(settings, drop_path_rate, origin)
        if settings.local is None:
            raise ValueError("settings.local must be set")
        self.stops_gradient = True
        self._shallow_map = ShallowMap(self.backbone, settings.local.layer)
        self.local = LocalBranch(self._shallow_map.channels, settings.local, self._shallow_map.positive if positive is None else positive)
        self.local_dimensions = settings.local.dimensions

    def maps(self, images: torch.Tensor) -> DelgMaps:
        """uint8 RGB (n, 3, h, w) -> DelgMaps."""
        shallow, deep = self._shallow_map.maps(self.normalise(images))
        if self.stops_gradient:
            shallow = shallow.detach()
        return DelgMaps(shallow, deep, self.local(shallow))

    def fields(self, height: int, width: int) -> tuple[ReceptiveField, ReceptiveField]:
        """(vertical, horizontal) receptive field of the local map's positions in an image of this size."""
        return self._shallow_map.fields(height, width)
