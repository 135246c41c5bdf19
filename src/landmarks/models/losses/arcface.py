"""ArcFace: a margin on the angle (Deng et al., CVPR 2019; DELG, section 3.3)."""

from __future__ import annotations

import torch

from landmarks.models.cosine_classifier import CosineClassifier

# The derivative of the sine of an angle is infinite at cosine 1, and rounding can pass 1: cosines are clamped this far inside, where
# the derivative is at most 707.
_COSINE_LIMIT = 1 - 1e-6


class ArcFace(CosineClassifier):
    """cos(theta + margin) where theta <= pi - margin, else cos(theta)."""

    def with_margin(self, cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
        cosines = cosines.clamp(-_COSINE_LIMIT, _COSINE_LIMIT)
        sines = (1 - cosines.square()).sqrt()
        cosine, sine = margins.cos().to(cosines.dtype), margins.sin().to(cosines.dtype)
        return torch.where(cosines >= -cosine, cosines * cosine - sines * sine, cosines)
