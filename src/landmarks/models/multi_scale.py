"""One descriptor from several sizes of a picture (DELG, section 5.1; Yokoo et al., section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F


def describe(model: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, scales: Sequence[float]) -> torch.Tensor:
    """The mean of the descriptors at `scales`, normalised before and after averaging: (n, dimensions) float32.

    model   uint8 RGB (n, 3, h, w) -> (n, dimensions), any length
    images  (n, 3, h, w) uint8 at the largest of `scales`; the smaller ones are made from them, antialiased
    """
    largest = max(scales)
    return F.normalize(sum((F.normalize(model(shrink(images, scale / largest)).float()) for scale in scales), start=torch.zeros(())))


def shrunk_size(images: torch.Tensor, factor: float) -> tuple[int, int]:
    """(height, width) that `shrink` makes: (round(h * factor), round(w * factor)), at least 1."""
    height, width = (max(1, round(side * factor)) for side in images.shape[2:])
    return height, width


def shrink(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Resize (n, 3, h, w) uint8 by `factor` <= 1 to `shrunk_size`: (n, 3, height, width) uint8, antialiased bilinear."""
    size = shrunk_size(images, factor)
    if size == tuple(images.shape[2:]):
        return images
    # In floating point, since CUDA has no kernel for bytes.
    small = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True, align_corners=False)
    return small.round_().clamp_(0, 255).to(torch.uint8)
