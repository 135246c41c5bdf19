"""BatchNorm folded into the convolution before it: the same maps in two thirds of the time, for a trained model."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_weights

from landmarks.models.backbone import Backbone
from landmarks.models.global_model import GlobalModel

TOLERANCE = 1e-3  # of the largest value of the map: more than rounding changes, less than a wrong fold would


class _Pair(NamedTuple):
    """A convolution, and the BatchNorm on its map with its name in the network."""

    convolution: nn.Conv2d
    name: str
    norm: nn.BatchNorm2d


def fold_batchnorm(model: GlobalModel) -> GlobalModel:
    """The model itself, in eval mode, with the BatchNorms of its backbone folded in place, where one network serves all sizes.

    Which BatchNorm follows which convolution is observed while an image runs through the network. If the folded network gives another
    map or fails (a convolution may use its weights in other ways, or its map may have other users), everything is restored.
    """
    network = model.eval().backbone
    if not network.is_one_network:
        return model
    images = torch.randn(1, 3, *network.sides.nearest(64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images).map
        pairs = _pairs(network, images)
    before = [(pair.convolution.weight, pair.convolution.bias) for pair in pairs]
    for pair in pairs:
        _fold(network, pair)
    if not _error(network, images, expected) < TOLERANCE:
        for pair, (weight, bias) in zip(pairs, before, strict=True):
            pair.convolution.weight, pair.convolution.bias = weight, bias
            network.set_submodule(pair.name, pair.norm)
    return model


def _error(network: Backbone, images: torch.Tensor, expected: torch.Tensor) -> float:
    try:
        with torch.inference_mode():
            return float((network(images).map - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    except (AttributeError, RuntimeError, TypeError):  # a block that uses attributes of its norm
        return float("inf")


def _pairs(network: nn.Module, images: torch.Tensor) -> list[_Pair]:
    """Each convolution that runs once and is followed by a BatchNorm that runs once, on its map."""
    maps: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}  # with the map itself: once freed, another could get its id
    runs: Counter[nn.Module] = Counter()
    found: list[_Pair] = []
    handles = []

    def after_convolution(module, arguments, output):
        runs[module] += 1
        maps[id(output)] = module, output

    def before_norm(name):
        def hook(module, arguments):
            runs[module] += 1
            if id(arguments[0]) in maps:
                found.append(_Pair(maps[id(arguments[0])][0], name, module))

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(after_convolution))
        elif type(module) is nn.BatchNorm2d or (isinstance(module, nn.BatchNorm2d) and hasattr(module, "drop") and hasattr(module, "act")):
            handles.append(module.register_forward_pre_hook(before_norm(name)))
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in found if runs[pair.convolution] == runs[pair.norm] == 1]


def _fold(network: nn.Module, pair: _Pair) -> None:
    convolution, name, norm = pair
    if norm.running_mean is None or norm.running_var is None:  # it normalises by the batch, which no convolution can do
        return
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    # timm's norms include the activation that follows them.
    following = dict(norm.named_children())
    network.set_submodule(name, nn.Sequential(following["drop"], following["act"]) if following else nn.Identity())
