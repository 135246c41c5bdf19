"""What is trained: the model and its classifier as one module, so that several processes average all gradients at once."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from landmarks.config import ModelSettings, TrainSettings
from landmarks.models.build import build_model
from landmarks.models.heads import create_classifier
from landmarks.seeds import seed_of


class Learner(nn.Module):
    """Images (n, 3, h, w) uint8 and labels (n,) int64 -> (logits with margin, plain cosines), both (n, classes) float32."""

    def __init__(self, model_settings: ModelSettings, settings: TrainSettings, classes: int):
        super().__init__()
        self.model = build_model(model_settings)
        self.classifier = create_classifier(settings.loss, self.model.dimensions, classes, settings.margin, settings.scale)
        self.freeze_batchnorm = settings.freeze_batchnorm

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.classifier(self.model(images), labels)

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
