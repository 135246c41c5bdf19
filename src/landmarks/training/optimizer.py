"""Parameter groups, and the optimizer's state as named tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from landmarks.config import TrainSettings
from landmarks.models.architectures import layer_numbers, undecayed_parameters
from landmarks.training.learner import Learner

_PREFIX = "optimizer/"


_BACKBONE = "model.backbone."


def create_optimizer(learner: Learner, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD with momentum 0.9, or AdamW, over groups of one rate and one weight decay.

    Each group has a `factor` by which the scheduled learning rate is multiplied: that of the head, or of a layer of the backbone
    (layer-wise decay, Clark et al., ICLR 2020, section 3.4; the layers are numbered as in timm). Norms, biases, the
    pooling power and what timm names are not decayed, since values near 0 do not make them simpler.
    """
    layers, head = layer_numbers(learner.model.backbone)
    undecayed = undecayed_parameters(learner.model.backbone)
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for name, parameter in learner.named_parameters():
        within = name.removeprefix(_BACKBONE)
        factor = settings.head_learning_rate_factor
        if within != name:
            factor = settings.layer_decay ** (head - layers[within])
        decayed = parameter.ndim > 1 and not (within != name and within in undecayed)
        weight_decay = settings.weight_decay if decayed else 0.0
        group = groups.setdefault((factor, decayed), {"params": [], "factor": factor, "weight_decay": weight_decay})
        group["params"].append(parameter)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(list(groups.values()), lr=settings.peak_rate)
    return torch.optim.SGD(list(groups.values()), lr=settings.peak_rate, momentum=0.9)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def state_tensors(optimizer: torch.optim.Optimizer, learner: nn.Module) -> dict[str, torch.Tensor]:
    """ "optimizer/<what>/<parameter>" -> tensor; what: momentum_buffer, or step, exp_avg and exp_avg_sq."""
    return {
        f"{_PREFIX}{what}/{name}": tensor
        for name, parameter in learner.named_parameters()
        for what, tensor in optimizer.state.get(parameter, {}).items()
        if tensor is not None
    }


def load_state_tensors(optimizer: torch.optim.Optimizer, learner: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Restore the state that `state_tensors` returned; other names are ignored."""
    parameters = dict(learner.named_parameters())
    for key, tensor in tensors.items():
        if key.startswith(_PREFIX):
            what, name = key.removeprefix(_PREFIX).split("/", 1)
            parameter = parameters[name]
            # AdamW keeps its step counts on the CPU; the rest has the device and memory format of its parameter.
            placed = tensor if what == "step" else torch.empty_like(parameter).copy_(tensor)
            optimizer.state[parameter][what] = placed.detach()
