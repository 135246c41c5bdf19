"""CosFace: a margin on the cosine (Wang et al., CVPR 2018)."""

from __future__ import annotations

import torch

from landmarks.models.cosine_classifier import CosineClassifier


class CosFace(CosineClassifier):
    """cos(theta) - margin."""

    def with_margin(self, cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
        return cosines - margins.to(cosines.dtype)
