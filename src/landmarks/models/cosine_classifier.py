"""Cosine-softmax classifiers with a margin: they shape the descriptor during training and are discarded after it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config.names import class_in
from landmarks.errors import UserError


class CosineClassifier(nn.Module):
    """Descriptors (n, dimensions) and labels (n,) int64 -> (logits, cosines), both (n, classes) float32.

    The logits have the margin at each image's own class and are multiplied by `scale`: they go into the cross entropy.
    The plain cosines show which class is nearest. Everything is float32, inside autocast and for half-precision descriptors too.

    margin       one number, or (classes,) one for each class (models/margins.py)
    learn_scale  the scale is a parameter that starts at the given value (DELG, section 3.3)
    centres      directions of each class; the nearest of them counts, so that a class can have several looks, and mislabelled images
                 a direction of their own (sub-center ArcFace, Deng et al., ECCV 2020). `weight` has those of class 0 first, then
                 those of class 1, ...: (classes * centres, dimensions)
    """

    margins: torch.Tensor  # (classes,) float64

    def __init__(
        self, dimensions: int, classes: int, margin: float | np.ndarray, scale: float, learn_scale: bool = False, centres: int = 1
    ):
        super().__init__()
        self.classes, self.centres = classes, centres
        self.weight = nn.Parameter(torch.empty(classes * centres, dimensions))
        nn.init.xavier_uniform_(self.weight)
        self.scale = nn.Parameter(torch.tensor(float(scale))) if learn_scale else scale
        # Follows from the settings and the table: not in checkpoints.
        self.register_buffer("margins", torch.empty(classes, dtype=torch.float64), persistent=False)
        self.set_margin(margin)

    def set_margin(self, margin: float | np.ndarray) -> None:
        """One number, or (classes,) one for each class."""
        self.margins.copy_(torch.tensor(np.broadcast_to(margin, self.classes), dtype=torch.float64))

    def forward(self, descriptors: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(descriptors.device.type, enabled=False):
            cosines = F.linear(F.normalize(descriptors.float()), F.normalize(self.weight.float()))
            if self.centres > 1:
                cosines = cosines.view(len(cosines), self.classes, self.centres).max(dim=2).values
            own = labels[:, None]
            moved = self.with_margin(cosines.gather(1, own), self.margins[own])
            logits = self.scale * cosines.scatter(1, own, moved)
        return logits, cosines

    def with_margin(self, cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
        """Cosines (n, 1) float32 to the image's own class, made harder to reach by its margin, (n, 1) float64."""
        raise NotImplementedError


def adacos_scale(classes: int) -> float:
    """sqrt(2) ln(classes - 1), AdaCos's fixed scale (Zhang et al., CVPR 2019, section 3.2). Raises UserError for less than 3 classes."""
    if classes < 3:
        raise UserError(
            f"train.scale=adacos has no value for {classes} landmarks, it needs 3",
            where="train.scale",
            next="name a number, as train.scale=30",
        )
    return math.sqrt(2) * math.log(classes - 1)


def create_classifier(
    loss: str, dimensions: int, classes: int, margin: float | np.ndarray, scale: float, learn_scale: bool = False, centres: int = 1
) -> CosineClassifier:
    """The classifier of the file models/losses/`loss`.py, at random weights from torch's generator.

    Raises ModuleNotFoundError for a name without a file; the configuration refuses it before.
    """
    kind = class_in(f"landmarks.models.losses.{loss}", CosineClassifier)
    return kind(dimensions, classes, margin, scale, learn_scale, centres)
