"""The map of a backbone that local features are read from, at stride 14 to 16, computed with its last map in one pass."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch

from landmarks.errors import UserError
from landmarks.models.backbone import Backbone
from landmarks.models.features import Features, Layout, find_layout
from landmarks.models.field import ReceptiveField
from landmarks.models.probing import evaluating, uneven_sizes
from landmarks.models.receptive_field import receptive_fields
from landmarks.ops.sides import Size

STRIDES = range(14, 17)


class ShallowMap:
    """The output of one module of a backbone.

    layer     the module's name in the backbone's network; empty: the last one that timm lists at stride 14 to 16
    channels  of its map
    positive  whether nothing in it is below 0: it comes from a ReLU or the like

    branch    who reads it, local or dolg, for messages; local features have a place in the picture

    Raises UserError where there is no such module, where its output is no map at such a stride, and, for local features, where it cannot
    be said which part of a picture its positions look at.
    """

    def __init__(self, backbone: Backbone, layer: str = "", branch: Literal["local", "dolg"] = "local"):
        self._where = f"models.NAME.{branch}.layer"
        self._backbone, self.layer = backbone, layer or _listed_layer(backbone, self._where)
        self._layout, self.channels, self.positive = self._try()
        self.fields = lru_cache(maxsize=1024)(self._fields)
        if branch == "dolg":
            return
        try:
            self.fields(*uneven_sizes(backbone.sides.step)[0])
        except ValueError as error:
            raise UserError(
                f"local features have no place in the picture: behind the layer '{self.layer}' {error}",
                where=self._where,
                next="name another layer, or another backbone, such as resnet50",
            ) from None

    def maps(self, images: torch.Tensor) -> tuple[torch.Tensor, Features]:
        """Normalised images (n, 3, h, w) -> (this map (n, channels, ~h/16, ~w/16), what the backbone ends in), one pass."""
        deep, output = self._backbone.tapped(images, self.layer)
        return self._layout.features(output, Size(*images.shape[2:])).map, deep

    def _fields(self, height: int, width: int) -> tuple[ReceptiveField, ReceptiveField]:
        """(vertical, horizontal) receptive field of the map's positions in an image of this size; cached by size as `fields`."""
        size = Size(height, width)
        backbone = self._backbone.at(size)

        def run(images: torch.Tensor) -> torch.Tensor:
            return self._layout.features(backbone.tapped(images, self.layer)[1], size).map

        return receptive_fields(backbone, run, height, width, self._layout.stride)

    def _try(self) -> tuple[Layout, int, bool]:
        """The arrangement of the module's output, the channels of its map, and whether it is positive for an image of noise."""
        shapes: dict[Size, tuple[int, ...]] = {}
        device = next(self._backbone.parameters()).device
        noise = torch.Generator().manual_seed(0)
        positive = True
        with evaluating(self._backbone):
            for size in uneven_sizes(self._backbone.sides.step)[:2]:
                images = torch.randn(1, 3, *size, generator=noise, device="cpu").to(device)
                try:
                    output = self._backbone.tapped(images, self.layer)[1]
                except AttributeError:  # no such module
                    break
                if not isinstance(output, torch.Tensor):
                    break
                shapes[size] = tuple(output.shape)
                positive = positive and (output.is_meta or bool(output.min() >= 0))
        layout = find_layout(shapes)
        if layout is None or layout.stride not in STRIDES:
            seen = "; ".join(f"a {size.height}x{size.width} image gives {shape}" for size, shape in shapes.items())
            raise UserError(
                f"the layer '{self.layer}' gives no map at stride {STRIDES[0]} to {STRIDES[-1]}: {seen or 'it gives none'}",
                where=self._where,
                next="name a module such as layer3 of a ResNet, or another backbone",
            )
        return layout, shapes[size][{2: 1, 1: 3, 0: 2}[layout.rows]], positive


def _listed_layer(backbone: Backbone, key: str) -> str:
    listed = getattr(backbone.network, "feature_info", None) or []
    layers = [feature["module"] for feature in listed if feature.get("reduction") in STRIDES and feature.get("module")]
    if not layers:
        raise UserError(
            f"timm names no map at stride {STRIDES[0]} to {STRIDES[-1]} for this architecture",
            where="models.NAME.backbone",
            next=f"name one in {key}, or use another backbone, such as resnet50",
        )
    return layers[-1]
