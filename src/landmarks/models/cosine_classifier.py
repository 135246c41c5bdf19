"""Cosine-softmax classifiers with a margin: they shape the descriptor during training and are discarded after it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config.names import class_in


class CosineClassifier(nn.Module):
    """Descriptors (n, dimensions) and labels (n,) int64 -> (logits, cosines), both (n, classes) float32.

    The logits have the margin at each image's own class and are multiplied by `scale`: they go into the cross entropy.
    The plain cosines show which class is nearest. Everything is float32, inside autocast too. With `learn_scale` the scale
    is a parameter that starts at the given value (DELG, section 3.3).
    """

    def __init__(self, dimensions: int, classes: int, margin: float, scale: float, learn_scale: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dimensions))
        nn.init.xavier_uniform_(self.weight)
        self.margin, self.scale = margin, nn.Parameter(torch.tensor(scale)) if learn_scale else scale

    def forward(self, descriptors: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(descriptors.device.type, enabled=False):
            cosines = F.linear(F.normalize(descriptors.float()), F.normalize(self.weight.float()))
            own = labels[:, None]
            logits = self.scale * cosines.scatter(1, own, self.with_margin(cosines.gather(1, own)))
        return logits, cosines

    def with_margin(self, cosines: torch.Tensor) -> torch.Tensor:
        """Cosines (n, 1) to the image's own class, made harder to reach by the margin."""
        raise NotImplementedError


def create_classifier(loss: str, dimensions: int, classes: int, margin: float, scale: float, learn_scale: bool = False) -> CosineClassifier:
    """The classifier of the file models/losses/`loss`.py, at random weights from torch's generator.

    Raises ModuleNotFoundError for a name without a file; the configuration refuses it before.
    """
    kind = class_in(f"landmarks.models.losses.{loss}", CosineClassifier)
    return kind(dimensions, classes, margin, scale, learn_scale)
