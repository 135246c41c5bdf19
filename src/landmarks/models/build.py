"""From settings to a model."""

from __future__ import annotations

from landmarks.config import ModelSettings
from landmarks.models.delg import DelgModel
from landmarks.models.global_model import GlobalModel


def build_model(settings: ModelSettings) -> GlobalModel:
    """A model at its starting weights, a DelgModel where settings.local is set.

    What is not pretrained is drawn from torch's generator: seed it first.
    """
    return GlobalModel(settings) if settings.local is None else DelgModel(settings)
