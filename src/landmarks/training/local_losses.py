"""The losses and metrics of DELG's local branch (Cao et al., ECCV 2020, sections 3.2 to 3.4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.models.delg import DelgMaps
from landmarks.models.local_branch import attend


def weighted_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None, label_smoothing: float = 0.0
) -> torch.Tensor:
    """The mean over the images of weight x cross entropy, a scalar; it is divided by their number, not by the sum of the weights.

    So an image counts the same whatever else is in its batch, and however a batch is divided among processes.

    weights  (n,) float32; None: all are 1
    """
    if weights is None:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return (weights * F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)).mean()


def measure_local(
    maps: DelgMaps, classifier: nn.Linear, labels: torch.Tensor, weights: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The losses and metrics of a batch: {name: scalar float32}.

    classifier  (c16) -> (classes) plain logits of the features pooled by attention
    labels      (n,) int64
    weights     (n,) float32 of the attention's loss; None: all are 1

    loss_attention       cross entropy of those logits: the attention learns which positions distinguish landmarks
    loss_reconstruction  mean squared error between the branch's map and its reconstruction from the codes
    attention_median     over all positions of all images
    sparsity_16          share of the branch's map's values that are not positive: after a ReLU, its zeros
    sparsity_32          the same of the backbone's last map
    """
    with torch.autocast(maps.shallow.device.type, enabled=False):
        logits = classifier(attend(maps.local))
    return {
        "loss_attention": weighted_cross_entropy(logits, labels, weights),
        "loss_reconstruction": F.mse_loss(maps.local.reconstruction.float(), maps.shallow.float()),
        "attention_median": maps.local.attention.detach().median(),
        "sparsity_16": _share_of_zeros(maps.shallow),
        "sparsity_32": _share_of_zeros(maps.deep.map),
    }


def _share_of_zeros(map: torch.Tensor) -> torch.Tensor:
    return (map.detach() <= 0).float().mean()
