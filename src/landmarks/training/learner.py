"""What is trained: the model and its classifier as one module, so that several processes average all gradients at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from landmarks.config import ModelSettings, TrainSettings
from landmarks.models.build import build_model
from landmarks.models.heads import create_classifier
from landmarks.seeds import seed_of
from landmarks.training.local_losses import measure_local


class Learner(nn.Module):
    """Images (n, 3, h, w) uint8 and labels (n,) int64 -> {name: scalar float32}: the loss to be lowered, and what to watch.

    loss      cross entropy with the margin; for a DelgModel the sum of its three losses
    accuracy  share of images whose own class is the nearest
    For a DelgModel also what `measure_local` gives, and loss_global.
    """

    def __init__(self, model_settings: ModelSettings, settings: TrainSettings, classes: int):
        super().__init__()
        self.model = build_model(model_settings)
        self.classifier = create_classifier(
            settings.loss, self.model.dimensions, classes, settings.margin, settings.scale, settings.learn_scale
        )
        self.local = model_settings.local
        if self.local is not None:
            self.attention_classifier = nn.Linear(self.model.local.decoder.out_channels, classes)
        self.freeze_batchnorm = settings.freeze_batchnorm

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = self.model.maps(images) if self.local is not None else None
        descriptors = self.model(images) if maps is None else self.model.describe_map(maps.deep)
        logits, cosines = self.classifier(descriptors, labels)
        loss = F.cross_entropy(logits, labels)
        numbers = {"loss": loss, "accuracy": (cosines.argmax(dim=1) == labels).float().mean()}
        if maps is not None:
            numbers |= {"loss_global": loss} | measure_local(maps, self.attention_classifier, labels)
            numbers["loss"] = (
                loss
                + self.local.attention_weight * numbers["loss_attention"]
                + self.local.reconstruction_weight * numbers["loss_reconstruction"]
            )
        return numbers

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        if mode and self.freeze_batchnorm:
            for module in self.model.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def create_learner(name: str, model_settings: ModelSettings, settings: TrainSettings, classes: int) -> Learner:
    """At its starting weights. What is not pretrained is drawn anew for each model `name`: an ensemble lives on differences."""
    torch.manual_seed(seed_of(settings.seed, "weights", name))
    return Learner(model_settings, settings, classes)
