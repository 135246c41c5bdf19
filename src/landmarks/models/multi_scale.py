"""One descriptor from several sizes of a picture (DELG, section 5.1; Yokoo et al., section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from landmarks.ops.sides import ANY, Sides, Size


def describe(
    model: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, scales: Sequence[float], sides: Sides = ANY
) -> torch.Tensor:
    """The mean of the descriptors at `scales`, normalised before and after averaging: (n, dimensions) float32.

    model   uint8 RGB (n, 3, h, w) -> (n, dimensions), any length
    images  (n, 3, h, w) uint8 at the largest of `scales`; the smaller ones are made from them, antialiased
    sides   that the model takes: every size is the nearest that it does
    """
    largest = max(scales)
    return F.normalize(sum((F.normalize(model(shrink(images, scale / largest, sides)).float()) for scale in scales), start=torch.zeros(())))


def shrunk_size(images: torch.Tensor, factor: float, sides: Sides = ANY) -> Size:
    """The size that `shrink` makes: that of `images` times `factor`, rounded to what `sides` takes."""
    height, width = images.shape[2:]
    return sides.nearest(height * factor, width * factor)


def shrink(images: torch.Tensor, factor: float, sides: Sides = ANY) -> torch.Tensor:
    """Resize (n, 3, h, w) uint8 by `factor` <= 1 to `shrunk_size`: (n, 3, height, width) uint8, antialiased bilinear."""
    size = shrunk_size(images, factor, sides)
    if size == tuple(images.shape[2:]):
        return images
    # In floating point, since CUDA has no kernel for bytes.
    small = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True, align_corners=False)
    return small.round_().clamp_(0, 255).to(torch.uint8)
