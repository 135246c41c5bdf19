"""Local features from several sizes of a picture, and the global descriptor in the same pass (DELG, section 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from landmarks.models.delg import DelgMaps, DelgModel
from landmarks.models.multi_scale import shrink, shrunk_size
from landmarks.ops.sides import Size

MIN_SIDE = 16  # pixels; below, a map at stride 16 has one position, mostly of padding


class LocalFeatures(NamedTuple):
    """Of one image, m features, the highest attention first.

    keypoints    (m, 4) float32: x, y in original pixels (whole numbers are centres of pixels); feature scale = 1 / image
                 scale; attention
    descriptors  (m, dimensions) float32, rows of length 1
    """

    keypoints: np.ndarray
    descriptors: np.ndarray


def describe_local(
    model: DelgModel,
    images: torch.Tensor,
    scales: Sequence[float],
    max_features: int = 1000,
    threshold: float | None = None,
    factors: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
) -> list[LocalFeatures]:
    """The local features of each image, at most `max_features` over all scales together, those of the highest attention.

    images     (n, 3, h, w) uint8 RGB on the model's device, at the largest of `scales`; smaller ones are made from them. A scale
               at which a side falls below 16 pixels gives no feature
    threshold  features of a lower attention are left out; None: the model's own, learned in training
    factors    (n, 2) or (2,): x, y original pixels for one pixel of `images`; None: 1. The pixels of `images` are at the largest scale:
               a photo of 3000 x 2000 handed in at 2048 x 1365, scale 2 of 1024, has 3000 / 2048 and 2000 / 1365
    offsets    (n, 2) or (2,): x, y of the upper left corner of `images` in the original photo, pixels, where its border was
               cut off; None: 0

    Call it in eval mode, inside `device.computing` or torch.inference_mode.
    """
    return describe_both(model, images, (), scales, max_features, threshold, factors, offsets)[1].read()


def describe_both(
    model: DelgModel,
    images: torch.Tensor,
    scales: Sequence[float],
    local_scales: Sequence[float],
    max_features: int = 1000,
    threshold: float | None = None,
    factors: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
) -> tuple[torch.Tensor | None, Found]:
    """(global descriptors, local features on the device), one pass of the backbone for each size, even if both use it.

    scales  of the global descriptor, averaged as `multi_scale.describe` does: (n, dimensions) float32 on the device; none: None
    images  at the largest of `scales` and `local_scales`; the rest as in `describe_local`
    """
    min_attention = model.local.threshold if threshold is None else torch.tensor(threshold)
    largest, total = max([*scales, *local_scales]), torch.zeros(())
    parts = [_Part.empty(len(images), model.local_dimensions, images.device)]
    # By size, not by scale: 0.7071 and 2^-0.5 need only one pass.
    wanted: dict[Size, tuple[list[float], list[float]]] = {}
    for use, some in enumerate((scales, local_scales)):
        for scale in some:
            size = shrunk_size(images, scale / largest, model.sides)
            if use == 0 or min(images.shape[2:]) * scale / largest >= MIN_SIDE - 0.5:
                wanted.setdefault(size, ([], []))[use].append(scale)
    for _, (for_global, for_local) in sorted(wanted.items()):
        resized = shrink(images, max(for_global + for_local) / largest, model.sides)
        if not for_local:
            total = total + len(for_global) * model(resized)
            continue
        maps = model.maps(resized)
        if for_global:
            total = total + len(for_global) * model.describe_features(maps.deep)
        parts.append(_strongest(_features(model, maps, resized, images, for_local[0]), max_features))
    best = _strongest(_Part(*(torch.cat(tensors, dim=1) for tensors in zip(*parts))), max_features)
    found = Found(best.keypoints, F.normalize(best.codes, dim=2), min_attention, factors, offsets)
    return F.normalize(total) if len(scales) else None, found


class Found(NamedTuple):
    """The strongest features of a batch on the device; a GPU may still be computing them.

    keypoints    (n, m, 4) as in `LocalFeatures`, but x and y in pixels of the images; sorted by attention
    descriptors  (n, m, dimensions), rows of length 1
    threshold    scalar; the rest as in `describe_local`
    """

    keypoints: torch.Tensor
    descriptors: torch.Tensor
    threshold: torch.Tensor
    factors: np.ndarray | None
    offsets: np.ndarray | None

    def read(self) -> list[LocalFeatures]:
        """The features of each image down to the threshold, in original pixels. Waits for the device."""
        keypoints, descriptors, threshold = (tensor.cpu().numpy() for tensor in (self.keypoints, self.descriptors, self.threshold))
        kept = (keypoints[..., 3] >= threshold).sum(axis=1).tolist()
        factors = np.broadcast_to(1.0 if self.factors is None else self.factors, (len(kept), 2)).astype(np.float32)
        offsets = np.broadcast_to(0.0 if self.offsets is None else self.offsets, (len(kept), 2)).astype(np.float32)
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * factors[:, None] - 0.5 + offsets[:, None]
        return [LocalFeatures(keypoints[image, :count], descriptors[image, :count]) for image, count in enumerate(kept)]


class _Part(NamedTuple):
    """Features of a batch: x, y, feature scale, attention (n, m, 4); codes (n, m, dimensions), not normalised."""

    keypoints: torch.Tensor
    codes: torch.Tensor

    @classmethod
    def empty(cls, images: int, dimensions: int, device: torch.device) -> _Part:
        return cls(torch.zeros(images, 0, 4, device=device), torch.zeros(images, 0, dimensions, device=device))


def _features(model: DelgModel, maps: DelgMaps, resized: torch.Tensor, images: torch.Tensor, scale: float) -> _Part:
    """Every position of one scale's map; x and y in pixels of `images`."""
    count, _, rows, columns = maps.local.codes.shape
    axes = []
    for length, field, small, large in zip((rows, columns), model.fields(*resized.shape[2:]), resized.shape[2:], images.shape[2:]):
        centre = field.centre(torch.arange(length, device=images.device, dtype=torch.float32))
        # Resizing keeps the corners of the picture in place, not the centres of its first pixels.
        axes.append((centre + 0.5) * (large / small) - 0.5)
    y, x = torch.meshgrid(*axes, indexing="ij")
    place = torch.stack([x, y, torch.full_like(x, 1 / scale)], dim=-1).flatten(0, 1).expand(count, -1, -1)
    attention = maps.local.attention.flatten(1)[..., None]
    return _Part(torch.cat([place, attention], dim=2), maps.local.codes.float().flatten(2).transpose(1, 2))


def _strongest(part: _Part, max_features: int) -> _Part:
    """The `max_features` features of each image with the highest attention, the highest first; equal ones keep their order."""
    order = part.keypoints[..., 3].sort(dim=1, descending=True, stable=True).indices[:, :max_features, None]
    return _Part(*(tensor.gather(1, order.expand(-1, -1, tensor.shape[2])) for tensor in part))
