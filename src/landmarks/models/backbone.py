"""The backbone of a model: any image architecture of timm that gives a map, or tokens of patches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from landmarks.errors import UserError
from landmarks.models.architectures import build
from landmarks.models.features import Features
from landmarks.models.other_sizes import OtherSizes
from landmarks.models.probing import Found, evaluating, probe
from landmarks.ops.sides import Size


class Backbone(nn.Module):
    """Normalised images (n, 3, h, w) floating point, of sizes that `sides` takes -> Features.

    channels         of the map and of the class token
    has_class_token  whether there is one
    mean, std        three floats each: the normalisation of inputs in 0..1 that the architecture was trained with
    sides            the sides of images that it takes
    origin           of a network of the Hugging Face hub: what builds the same one without it (JSON values)
    """

    def __init__(self, network: nn.Module, found: Found, others: OtherSizes | None, origin: dict[str, Any] | None = None):
        super().__init__()
        config: Any = network.pretrained_cfg
        self.network, self.channels, self.sides, self.origin = network, found.channels, found.sides, origin
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.has_class_token = found.layout.has_class_token
        self._found, self._layout, self._others = found, found.layout, others

    def forward(self, images: torch.Tensor) -> Features:
        return self.tapped(images, None)[0]

    def tapped(self, images: torch.Tensor, layer: str | None) -> tuple[Features, Any]:
        """(Features, the output of the module `layer` of `network` in the same pass, or None for no layer)."""
        size, outputs, here = Size(*images.shape[2:]), [], threading.get_ident()

        def keep(_: nn.Module, arguments: tuple, output: Any) -> None:
            if threading.get_ident() == here:  # extraction describes a picture a thread: the others' outputs pass here too
                outputs.append(output)

        modules, run = self._ready(size)
        # Looked up at every pass, since converting BatchNorm for several processes replaces modules.
        handle = None if layer is None else _giving(modules.get_submodule(layer)).register_forward_hook(keep)
        try:
            output = run(images)
        finally:
            if handle is not None:
                handle.remove()
        return self._layout.features(output, size), outputs[0] if outputs else None

    @property
    def is_one_network(self) -> bool:
        """Whether `network` itself serves images of all sizes."""
        return self._others is None

    def at(self, size: Size) -> Backbone:
        """A backbone whose `network` serves images of this size as it is: for inference."""
        return self if self._others is None else Backbone(self._others.at(self.network, size), self._found, None, self.origin)

    def _ready(self, size: Size) -> tuple[nn.Module, Callable[[torch.Tensor], Any]]:
        if self._others is None:
            return self.network, self.network
        if torch.is_grad_enabled():
            return self._others.training_at(self.network, size)
        network = self._others.at(self.network, size)
        return network, network


def _giving(module: nn.Module) -> nn.Module:
    """The module whose output is that of `module`: of a sequence its last, which is also called where timm checkpoints them one by one."""
    while type(module) is nn.Sequential and len(module):
        module = module[-1]
    return module


def create_backbone(name: str, pretrained: bool, drop_path_rate: float = 0.0, origin: dict[str, Any] | None = None) -> Backbone:
    """The backbone `name` of timm, or "hf-hub:OWNER/NAME", once images of uneven sizes have gone through it.

    drop_path_rate  stochastic depth, while it is trained
    origin          Backbone.origin of the same network: nothing of the hub is then looked at

    Raises UserError as `build` does, and for an architecture that gives no map of an image.
    """
    network, at, origin = build(name, pretrained, origin, drop_path_rate)
    device = next(network.parameters()).device
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", 0)
    patch = max(patch) if isinstance(patch, tuple | list) else int(patch or 0)
    has_class_token = getattr(network, "cls_token", None) is not None
    with evaluating(network):
        found = probe(network, device, patch, has_class_token)
        if isinstance(found, Found):
            return Backbone(network, found, None, origin)
        own = Size(*network.pretrained_cfg["input_size"][1:])
        tried = OtherSizes(network, own, at)
        again = probe(lambda images: tried.at(network, Size(*images.shape[2:]))(images), device, patch, has_class_token)
    if isinstance(again, Found):
        return Backbone(network, again, OtherSizes(network, own, at), origin)
    raise UserError(
        f"'{name}' gives no map, or none at other sizes than {own.height}x{own.width}: {found}" + (f"; {again}" if again != found else ""),
        where="models.NAME.backbone",
        next="name another architecture, such as resnet101, convnext_base or vit_base_patch14_reg4_dinov2",
    )
