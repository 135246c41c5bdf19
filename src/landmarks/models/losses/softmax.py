"""Plain cosine softmax: no margin (NormFace, Wang et al., ACM MM 2017; with train.scale=adacos, AdaCos's fixed scale)."""

from __future__ import annotations

import torch

from landmarks.models.cosine_classifier import CosineClassifier


class Softmax(CosineClassifier):
    """cos(theta), whatever the margin is."""

    def with_margin(self, cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
        return cosines
