"""Geometric verification on batched tensors, for a GPU: the matches and random samples of ops/verification.py, refined best first."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.ops.geometry import SAMPLE
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.ransac import FIRST, KEPT, REFINEMENTS, STRICT
from landmarks.ops.verification import MAX_ANISOTROPY, MAX_ZOOM, Verification, Verified
from landmarks.progress import say

if TYPE_CHECKING:
    import torch

_COMPARED = 1 << 25  # matches times models at a time: 0.1 GB an array, of which some are there at once
_AREAS = MAX_ZOOM**-2, MAX_ZOOM**2  # that a model may make of an area of one
_BOUND = MAX_ANISOTROPY + 1 / MAX_ANISOTROPY  # of the squares of its linear part over that area
REFINED = 8  # models, those with the most inliers, that least squares refine


def verify_pairs_torch(
    queries: LocalFeatures,
    index: LocalFeatures,
    pairs: np.ndarray,
    seeds: np.ndarray,
    settings: Verification,
    device: str | torch.device = "cuda",
    batch: int = 64,
) -> Verified:
    """As `verification.verify_pairs`, `batch` pairs at a time on one device: the batch changes memory and speed only.

    Matches differ from those on a CPU where rounding does; inliers also where another of the best models was refined.
    The largest arrays are the cosines of all features, (batch, m, n) float32, and a copy of them.
    """
    import torch

    pairs, seeds = np.asarray(pairs, np.int64).reshape(-1, 2), np.asarray(seeds).astype(np.uint64).astype(np.int64)
    parts = [Verified(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3, 3), np.float32))]
    with torch.inference_mode():
        of_queries, of_index = _Features.of(queries, device), _Features.of(index, device)  # once: images come in many pairs
        for start in range(0, len(pairs), batch):
            chosen = slice(start, start + batch)
            query, query_points = of_queries.padded(queries.offsets, pairs[chosen, 0])
            image, index_points = of_index.padded(index.offsets, pairs[chosen, 1])
            rows, columns, counts = _mutual(query @ image.mT, settings)
            points = torch.cat([_pick(query_points, rows), _pick(index_points, columns)], dim=2)
            present = torch.arange(points.shape[1], device=device) < counts[:, None]
            inliers, models = _ransac(points, present, counts, torch.from_numpy(seeds[chosen]).to(device), settings)
            parts.append(Verified(*(array.cpu().numpy() for array in (counts.int(), inliers.int(), models.float()))))
    return Verified(*map(np.concatenate, zip(*parts, strict=True)))


class _Features(NamedTuple):
    """All features of some images on the device: descriptors (n, d) as stored, factors (n, 1) float32 or None, points (n, 2) float32."""

    descriptors: torch.Tensor
    factors: torch.Tensor | None
    points: torch.Tensor

    @classmethod
    def of(cls, features: LocalFeatures, device: str | torch.device) -> _Features:
        import torch

        factors = None if features.factors is None else torch.from_numpy(features.factors).to(device)[:, None]
        points = torch.from_numpy(features.keypoints[:, :2]).to(device)
        return cls(torch.from_numpy(features.descriptors).to(device), factors, points)

    def padded(self, offsets: np.ndarray, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Descriptors (b, m, d) and points (b, m, 2) float32 of images; rows after an image's last are zero."""
        import torch

        device = self.points.device
        starts, ends = (torch.from_numpy(offsets[images + which]).to(device)[:, None] for which in (0, 1))
        most = max(1, int((offsets[images + 1] - offsets[images]).max()))
        rows = starts + torch.arange(most, device=device)
        if len(self.descriptors) == 0:
            return torch.zeros((*rows.shape, self.descriptors.shape[1]), device=device), torch.zeros((*rows.shape, 2), device=device)
        present = rows < ends
        rows = torch.where(present, rows, 0)
        descriptors = self.descriptors[rows].float()
        if self.factors is not None:
            descriptors *= self.factors[rows]
        return descriptors * present[..., None], self.points[rows]


def _mutual(cosines: torch.Tensor, settings: Verification):
    """Of cosines (b, m, n): rows and columns (b, most matches) of the mutual nearest, the most distinctive first, and their number (b,)."""
    import torch

    nearest, nearest_of_index = cosines.argmax(dim=2), cosines.argmax(dim=1)
    best = cosines.gather(2, nearest[..., None])[..., 0]
    second = cosines.scatter(2, nearest[..., None], 0.0).amax(dim=2)
    ratios = ((1 - best).clamp(min=1e-7) / (1 - second).clamp(min=1e-7)).sqrt()
    own = torch.arange(cosines.shape[1], device=cosines.device)
    good = (nearest_of_index.gather(1, nearest) == own) & (best >= 1 - settings.max_distance**2 / 2) & (best > 0)
    good &= (ratios <= settings.ratio) | (settings.ratio >= 1)
    counts = good.sum(dim=1)
    order = ratios.masked_fill(~good, torch.inf).argsort(dim=1, stable=True)[:, : max(1, int(counts.max()))]
    return order, nearest.gather(1, order), counts


def _pick(points: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return points.gather(1, rows[..., None].expand(-1, -1, points.shape[2]))


def _ransac(points: torch.Tensor, present: torch.Tensor, counts: torch.Tensor, seeds: torch.Tensor, settings: Verification):
    """Inliers (b,) and models (b, 3, 3) for matches (b, m, 4) x, y, u, v of which (b, m) are present."""
    import torch

    size, total = SAMPLE[settings.transform], counts.clamp(min=1)[:, None]
    centres = (points * present[..., None]).sum(dim=1, keepdim=True) / total[..., None]
    points = (points - centres) * present[..., None]
    unit = (points[..., 2:].square().sum(dim=(1, 2)) / (2 * counts.clamp(min=1))).sqrt().clamp(min=1e-3)
    points, squared = points / unit[:, None, None], (settings.residual / unit).square()[:, None]

    trial = torch.arange(settings.trials, device=points.device)
    among = torch.minimum(total, (1 + total * trial // settings.trials).clamp(min=FIRST))
    sample = (_bits(seeds, settings.trials * size).view(len(points), -1, size) * among[..., None]) >> 32
    chosen = _pick(points, sample.flatten(1)).view(*sample.shape, 4)
    models = _fit(chosen, torch.ones_like(chosen[..., 0]), size)
    one, two = chosen[..., 1, :2] - chosen[..., 0, :2], chosen[..., -1 if size < 4 else 2, :2] - chosen[..., 0, :2]
    area = one.square().sum(dim=2) if size == 2 else (one[..., 0] * two[..., 1] - two[..., 0] * one[..., 1]).abs()
    ordered = sample.sort(dim=2).values
    usable = (area > squared) & (ordered.diff(dim=2) > 0).all(dim=2) & (counts >= max(size, settings.min_matches))[:, None]

    found = _counted(models, points, present, squared).masked_fill(~usable, 0)
    best, places = found.topk(min(REFINED, settings.trials), dim=1)
    models = models.gather(1, places[..., None].expand(-1, -1, 9))
    for _ in range(REFINEMENTS):
        inside = _inside(models, points, present, squared)
        refined = _fit(points[:, None].expand(-1, models.shape[1], -1, -1), inside.to(points.dtype), size)
        count = _counted(refined, points, present, squared)
        better = (count >= best) & (best > size)
        models, best = torch.where(better[..., None], refined, models), torch.where(better, count, best)
    inliers, winner = best.max(dim=1)
    models, fewest = models[torch.arange(len(models)), winner][:, None], KEPT * inliers[:, None]
    for _ in range(REFINEMENTS):
        strict = _inside(models, points, present, STRICT**2 * squared)
        refined = _fit(points[:, None], strict.to(points.dtype), size)
        count = _counted(refined, points, present, squared)
        better = (count >= fewest) & (fewest > KEPT * size)
        models, inliers = torch.where(better[..., None], refined, models), torch.where(better, count, inliers[:, None])[:, 0]
    model = models.view(-1, 3, 3).double()

    into, back = (torch.eye(3, device=points.device, dtype=torch.float64).repeat(len(points), 1, 1) for _ in range(2))
    into[:, 0, 2], into[:, 1, 2], into[:, 2, 2] = -centres[:, 0, 0], -centres[:, 0, 1], unit
    back[:, 0, 0], back[:, 1, 1], back[:, 0, 2], back[:, 1, 2] = unit, unit, centres[:, 0, 2], centres[:, 0, 3]
    matrix = back @ model @ (into / unit[:, None, None])
    return inliers, torch.where(inliers[:, None, None] > 0, matrix / matrix[:, 2:, 2:], 0)


def _bits(seeds: torch.Tensor, number: int) -> torch.Tensor:
    """The first draws (b, number) of each seed's SplitMix64: its upper 32 bits as int64. See ransac._draw."""
    import torch

    def mixed(bits, shift, factor):
        return (bits ^ ((bits >> shift) & ((1 << 64 - shift) - 1))) * factor  # a logical shift: zeros come in

    bits = seeds[:, None] + torch.arange(1, number + 1, device=seeds.device) * (0x9E3779B97F4A7C15 - 2**64)
    bits = mixed(mixed(bits, 30, 0xBF58476D1CE4E5B9 - 2**64), 27, 0x94D049BB133111EB - 2**64)
    return (mixed(bits, 31, 1) >> 32) & 0xFFFFFFFF


def _fit(points: torch.Tensor, weights: torch.Tensor, size: int) -> torch.Tensor:
    """Least squares over (..., m, 4) with weights (..., m) of 0 or 1: models (..., 9), not finite where undetermined. See geometry.fit."""
    import torch

    (x, y, u, v), zero, one = (points * weights[..., None]).unbind(-1), torch.zeros_like(weights), weights
    if size == 3:  # u and v from the same numbers
        rows, target = torch.stack([x, y, one], -1), torch.stack([u, v], -1)
    else:
        across: tuple[torch.Tensor, ...] = (x, -y, one, zero) if size == 2 else (x, y, one, zero, zero, zero, -u * x, -u * y)
        down: tuple[torch.Tensor, ...] = (y, x, zero, one) if size == 2 else (zero, zero, zero, x, y, one, -v * x, -v * y)
        rows, target = torch.cat([torch.stack(across, -1), torch.stack(down, -1)], dim=-2), torch.cat([u, v], dim=-1)[..., None]
    rows, target = rows.double(), target.double()  # since normal equations square the condition number
    answer = torch.linalg.solve_ex(rows.mT @ rows, rows.mT @ target)[0].mT.flatten(-2).to(points.dtype)
    model = torch.zeros((*answer.shape[:-1], 9), dtype=points.dtype, device=points.device)
    model[..., 8] = 1
    if size > 2:
        model[..., : 2 * size] = answer
    else:
        a, b, c, d = answer.unbind(-1)
        model[..., :6] = torch.stack([a, -b, c, b, a, d], -1)
    return model


def _counted(models: torch.Tensor, points: torch.Tensor, present: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
    """How many of the matches (b, m) each of the models (b, t, 9) explains: (b, t) int64."""
    import torch

    kernel = _kernel(models.device) if models.device.type == "cuda" else None
    if kernel is not None:
        return kernel(models, points, present, squared, _AREAS, _BOUND).long()
    together = max(50, _COMPARED // (points.shape[0] * points.shape[1]))
    return torch.cat([_inside(part, points, present, squared).sum(dim=2) for part in models.split(together, dim=1)], dim=1)


@cache
def _kernel(device: torch.device) -> Callable[..., torch.Tensor] | None:
    """The Triton kernel that counts on this card, where it runs and counts as torch does; says once why it does not."""
    import torch

    from landmarks.cuda import is_out_of_memory

    chosen = torch.Generator().manual_seed(0)
    noise, points = torch.randn(2, 50, 9, generator=chosen), torch.randn(2, 200, 2, generator=chosen).repeat(1, 1, 2)
    models, squared = torch.eye(3).flatten() + 0.2 * noise * (torch.arange(9) < 8), torch.tensor([[0.01], [0.1]])
    present = torch.arange(400).view(2, 200) % 3 > 0
    models, points, present, squared = (part.to(device) for part in (models, points, present, squared))
    try:
        from landmarks.ops.inliers_triton import count_inliers

        counted = count_inliers(models, points, present, squared, _AREAS, _BOUND).long()
        if torch.equal(counted, _inside(models, points, present, squared).sum(dim=2)):
            return count_inliers
        why = "it counts otherwise"
    except Exception as error:  # no Triton, no C compiler, an old card: whatever it is, torch's operations give the same counts
        if is_out_of_memory(error):
            raise
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    say(f"verification without its Triton kernel, which is slower: {why}")
    return None


def _inside(models: torch.Tensor, points: torch.Tensor, present: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
    """Which of the matches (b, m) each of the models (b, t, 9) explains: (b, t, m); none where the model is not plausible."""
    import torch

    x, y, u, v = (points[:, None, :, side] for side in range(4))
    a, b, c, d, e, f, g, h, _ = models[..., None].unbind(-2)
    w = g * x + h * y + 1
    inside = ((a * x + b * y + c - w * u).square() + (d * x + e * y + f - w * v).square() <= squared[..., None] * w * w) & (w > 0)
    a, b, d, e = a - c * g, b - c * h, d - f * g, e - f * h
    area = a * e - b * d
    plausible = (area >= _AREAS[0]) & (area <= _AREAS[1])
    plausible &= a.square() + b.square() + d.square() + e.square() <= area * _BOUND
    return inside & plausible & present[:, None] & torch.isfinite(models).all(dim=2)[..., None]
