"""The module that is trained: the model and its classifier, so that several processes average all gradients at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.models.architectures import checkpoint_gradients
from landmarks.models.checkpoint import build_model
from landmarks.models.cosine_classifier import adacos_scale, create_classifier
from landmarks.models.delg import DelgModel
from landmarks.models.margins import margins_by_frequency
from landmarks.seeds import seed_of
from landmarks.training.local_losses import measure_local, weighted_cross_entropy


class Learner(nn.Module):
    """Images (n, 3, h, w) uint8, labels (n,) int64 and weights (n,) float32 -> {name: scalar float32}: the loss to minimise, and metrics.

    loss      cross entropy with the margin, weighted (None: all weights are 1); for a DelgModel the sum of its three losses
    accuracy  share of images whose own class is the nearest
    For a DelgModel also the numbers of `measure_local`, and loss_global.
    """

    attention_classifier: nn.Linear  # of a DelgModel only

    def __init__(self, model_settings: ModelSettings, settings: TrainSettings, classes: int, counts: np.ndarray | None = None):
        super().__init__()
        self.model = build_model(model_settings, settings.drop_path_rate)
        if settings.drop_rate:
            self.model.head.register_forward_pre_hook(_dropout(settings.drop_rate))
        if settings.gradient_checkpointing:
            checkpoint_gradients(self.model.backbone)
        if settings.compile:
            self._compile()
        self.classifier = create_classifier(
            settings.loss,
            self.model.dimensions,
            classes,
            _margin(settings, counts, 0),
            adacos_scale(classes) if settings.scale == "adacos" else settings.scale,
            settings.learn_scale,
            settings.centres,
        )
        self.label_smoothing = settings.label_smoothing
        self.local = model_settings.local
        self.begins_trained = model_settings.pretrained  # or with weights that are given to it afterwards
        if isinstance(self.model, DelgModel):
            self.attention_classifier = nn.Linear(self.model.local.decoder.out_channels, classes)
        self._settings, self._counts = settings, counts
        self._state = (False, settings.batchnorm_frozen_in(0), settings.margin_in(0))
        self._learning = [parameter for parameter in self.model.backbone.parameters() if parameter.requires_grad]
        self.train()  # modules are made in training mode, those that are frozen from the start too

    def forward(self, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        maps = self.model.maps(images) if isinstance(self.model, DelgModel) else None
        descriptors = self.model(images) if maps is None else self.model.describe_features(maps.deep)
        logits, cosines = self.classifier(descriptors, labels)
        loss = weighted_cross_entropy(logits, labels, weights, self.label_smoothing)
        numbers = {"loss": loss, "accuracy": (cosines.argmax(dim=1) == labels).float().mean()}
        if maps is None or self.local is None:
            return numbers
        local = measure_local(maps, self.attention_classifier, labels, weights)
        attention = self.local.attention_weight * local["loss_attention"]
        reconstruction = self.local.reconstruction_weight * local["loss_reconstruction"]
        return numbers | {"loss": loss + attention + reconstruction, "loss_global": loss} | local

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        backbone_frozen, batchnorm_frozen, _ = self._state
        if mode and backbone_frozen:
            self.model.backbone.eval()
        if mode and batchnorm_frozen:
            for module in self.model.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    @property
    def has_batchnorm(self) -> bool:
        """Whether there is some in the backbone."""
        return any(isinstance(module, _BatchNorm) for module in self.model.backbone.modules())

    def trains_statistics(self) -> bool:
        """Whether some BatchNorm of the backbone has its statistics from the batch now."""
        return any(isinstance(module, _BatchNorm) and module.training for module in self.model.backbone.modules())

    def enter(self, step: int, epoch: int) -> None:
        """Take the margin of this step, and freeze what is frozen in it; the learner then is in training mode.

        A frozen backbone stays as it is, weights and statistics, and works as at test time.
        """
        settings = self._settings
        state = (step < settings.freeze_backbone_steps, settings.batchnorm_frozen_in(epoch), settings.margin_in(epoch))
        if self.training and state == self._state:
            return
        self._state = state
        for parameter in self._learning:
            parameter.requires_grad_(not state[0])
        self.classifier.set_margin(_margin(settings, self._counts, epoch))
        self.train()

    def train_by(self, settings: TrainSettings) -> None:
        """From the next `enter` on; settings: those that it was made with, with what they left open."""
        self._settings = settings

    def _compile(self) -> None:
        if isinstance(self.model, DelgModel) or self.model.fusion is not None:  # it takes a map out of the backbone's middle, by a hook
            raise UserError("torch.compile cannot follow a local branch", where="train.compile", next="train.compile=false")
        if not self.model.backbone.is_one_network:
            raise UserError("this backbone is another network at each size", where="train.compile", next="train.compile=false")
        self.model.backbone.network.compile()


def create_learner(
    name: str, model_settings: ModelSettings, settings: TrainSettings, classes: int, counts: np.ndarray | None = None
) -> Learner:
    """A Learner at its starting weights. Weights that are not pretrained differ between model names, so that an ensemble is diverse.

    counts  (classes,) images of each class, for margins that follow them (settings.rare_margin)
    """
    torch.manual_seed(seed_of(settings.seed, "weights", name))
    return Learner(model_settings, settings, classes, counts)


def _dropout(rate: float) -> Callable[[nn.Module, tuple[torch.Tensor]], tuple[torch.Tensor]]:
    return lambda head, inputs: (F.dropout(inputs[0], rate, head.training),)


def _margin(settings: TrainSettings, counts: np.ndarray | None, epoch: int) -> float | np.ndarray:
    if settings.rare_margin is None or counts is None:
        return settings.margin_in(epoch)
    return margins_by_frequency(counts, settings.margin_in(epoch), settings.rare_margin)
