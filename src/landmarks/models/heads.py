"""Cosine-softmax classifiers with a margin: they shape the descriptor in training and are thrown away after it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

# The derivative of the sine of an angle is infinite at cosine 1, and rounding can pass 1: cosines that enter a square root stay
# this far inside, where the derivative is at most 707.
_COSINE_LIMIT = 1 - 1e-6


class CosineClassifier(nn.Module):
    """Descriptors (n, dimensions) and labels (n,) int64 -> (logits, cosines), both (n, classes) float32.

    The logits carry the margin at each image's own class and are multiplied by `scale`: they go into the cross entropy.
    The plain cosines say which class is the nearest. Everything is float32, whatever autocast says. With `learn_scale`
    the scale is a parameter that starts at the given value (DELG, section 3.3).
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
        """Cosines (n, 1) to the image's own class, made harder to reach."""
        raise NotImplementedError


class ArcFace(CosineClassifier):
    """cos(theta + margin) where theta <= pi - margin, else cos(theta) (Deng et al., CVPR 2019; DELG, section 3.3)."""

    def with_margin(self, cosines: torch.Tensor) -> torch.Tensor:
        cosines = cosines.clamp(-_COSINE_LIMIT, _COSINE_LIMIT)
        sines = (1 - cosines.square()).sqrt()
        moved = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        return torch.where(cosines >= -math.cos(self.margin), moved, cosines)


class CosFace(CosineClassifier):
    """cos(theta) - margin (Wang et al., CVPR 2018)."""

    def with_margin(self, cosines: torch.Tensor) -> torch.Tensor:
        return cosines - self.margin


def create_classifier(loss: str, dimensions: int, classes: int, margin: float, scale: float, learn_scale: bool = False) -> CosineClassifier:
    """loss: arcface or cosface."""
    return {"arcface": ArcFace, "cosface": CosFace}[loss](dimensions, classes, margin, scale, learn_scale)
