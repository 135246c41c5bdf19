"""The stride-16 map of a backbone, computed with its stride-32 map in one pass."""

from __future__ import annotations

import threading
from functools import lru_cache

import torch

from landmarks.errors import UserError
from landmarks.models.backbone import Backbone
from landmarks.models.receptive_field import ReceptiveField, receptive_fields

STRIDE = 16


class ShallowMap:
    """The output of one module of a backbone.

    layer     the module's name in the backbone's network; empty: the last one that timm lists at stride 16
    channels  of its map, from running a small image

    Raises UserError where there is no such module or its output is no map at stride 16.
    """

    def __init__(self, backbone: Backbone, layer: str = ""):
        self._backbone, self.layer = backbone, layer or _listed_layer(backbone)
        self.channels = self._count_channels()
        self.fields = lru_cache(maxsize=1024)(self._fields)

    def maps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised images (n, 3, h, w) -> (map at stride 16 (n, channels, ~h/16, ~w/16), map at stride 32), one pass."""
        outputs: list[torch.Tensor] = []
        here = threading.get_ident()

        def keep(_: torch.nn.Module, arguments: tuple, output: torch.Tensor) -> None:
            if threading.get_ident() == here:  # extraction describes a picture a thread: the others' outputs pass here too
                outputs.append(output)

        # Looked up at every pass, since converting BatchNorm for several processes replaces modules.
        module = self._backbone.network.get_submodule(self.layer)
        handle = module.register_forward_hook(keep)
        try:
            deep = self._backbone(images)
        finally:
            handle.remove()
        return outputs[0], deep

    def _fields(self, height: int, width: int) -> tuple[ReceptiveField, ReceptiveField]:
        """(vertical, horizontal) receptive field of the stride-16 map of an image of this size; cached by size as `fields`."""
        return receptive_fields(self._backbone, lambda images: self.maps(images)[0], height, width)

    def _count_channels(self) -> int:
        was_training = self._backbone.training
        self._backbone.eval()
        shape: tuple[int, ...] = ()
        try:
            with torch.inference_mode():
                shape = tuple(self.maps(torch.zeros(1, 3, 64, 64))[0].shape)
        except (AttributeError, IndexError):  # no such module, or one that does not run
            pass
        self._backbone.train(was_training)
        if len(shape) != 4 or shape[2:] != (64 // STRIDE, 64 // STRIDE):
            raise UserError(
                f"the layer '{self.layer}' gives no map at stride 16: a 64x64 image gives {shape or 'nothing'}",
                where="models.NAME.local.layer",
                next="name a module such as layer3 of a ResNet, or another backbone",
            )
        return shape[1]


def _listed_layer(backbone: Backbone) -> str:
    listed = getattr(backbone.network, "feature_info", None) or []
    layers = [feature["module"] for feature in listed if feature.get("reduction") == STRIDE and feature.get("module")]
    if not layers:
        raise UserError(
            "timm names no map at stride 16 for this architecture",
            where="models.NAME.backbone",
            next="name one in models.NAME.local.layer, or use another backbone, such as resnet50",
        )
    return layers[-1]
