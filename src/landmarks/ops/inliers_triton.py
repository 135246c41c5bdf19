"""How many matches each of many transforms explains, on a GPU in one pass: what ops/verification_torch.py compares, as a Triton kernel.

In torch's operations some thirty intermediate results, each as large as transforms times matches, go through the memory of the card.
Here none does. The operations and their order are the same and none is fused with another, so that the counts are torch's.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

TRANSFORMS, MATCHES = 16, 128  # compared at a time by a program


def count_inliers(
    models: torch.Tensor, points: torch.Tensor, present: torch.Tensor, squared: torch.Tensor, areas: tuple[float, float], bound: float
) -> torch.Tensor:
    """(b, t) int32: how many matches of each pair each of its transforms explains.

    models   (b, t, 9) float32, the matrices row by row, the last number 1
    points   (b, m, 4) float32: x, y and the match's u, v
    present  (b, m) bool: which of them are matches
    squared  (b, 1) float32: the largest squared distance
    areas    that a transform may make of an area of one: at least, at most
    bound    sum of the squares of its linear part over that area, at most
    """
    batch, transforms, matches = models.shape[0], models.shape[1], points.shape[1]
    counts = torch.empty((batch, transforms), dtype=torch.int32, device=models.device)
    if counts.numel():
        arrays = models.contiguous(), points.contiguous(), present.contiguous().view(torch.uint8), squared.contiguous(), counts
        with torch.cuda.device_of(models):  # Triton starts on the current device
            _count[(batch, triton.cdiv(transforms, TRANSFORMS))](
                *arrays, transforms, matches, *areas, bound, TRANSFORMS, MATCHES, enable_fp_fusion=False
            )
    return counts


@triton.jit
def _count(models, points, present, squared, counts, transforms, matches, least, most, bound, T: tl.constexpr, M: tl.constexpr):
    pair = tl.program_id(0).to(tl.int64)
    number = tl.program_id(1) * T + tl.arange(0, T)
    there = number < transforms
    at = models + (pair * transforms + number) * 9
    a, b, c = tl.load(at, there, 0.0), tl.load(at + 1, there, 0.0), tl.load(at + 2, there, 0.0)
    d, e, f = tl.load(at + 3, there, 0.0), tl.load(at + 4, there, 0.0), tl.load(at + 5, there, 0.0)
    g, h, i = tl.load(at + 6, there, 0.0), tl.load(at + 7, there, 0.0), tl.load(at + 8, there, 0.0)
    limit = tl.load(squared + pair)
    total = tl.zeros([T], tl.int32)
    for start in range(0, matches, M):
        match = start + tl.arange(0, M)
        inside = match < matches
        is_match = tl.load(present + pair * matches + match, inside, 0) != 0
        of = points + (pair * matches + match) * 4
        x, y = tl.load(of, inside, 0.0)[None, :], tl.load(of + 1, inside, 0.0)[None, :]
        u, v = tl.load(of + 2, inside, 0.0)[None, :], tl.load(of + 3, inside, 0.0)[None, :]
        w = g[:, None] * x + h[:, None] * y + 1
        across = a[:, None] * x + b[:, None] * y + c[:, None] - w * u
        down = d[:, None] * x + e[:, None] * y + f[:, None] - w * v
        explained = (across * across + down * down <= limit * w * w) & (w > 0) & is_match[None, :]
        total += tl.sum(explained.to(tl.int32), axis=1)
    a, b, d, e = a - c * g, b - c * h, d - f * g, e - f * h
    area = a * e - b * d
    plausible = (area >= least) & (area <= most) & (a * a + b * b + d * d + e * e <= area * bound)
    # A number that is not finite, times 0, is not 0.
    plausible = plausible & (c * 0 == 0) & (f * 0 == 0) & (g * 0 == 0) & (h * 0 == 0) & (i * 0 == 0)
    tl.store(counts + pair * transforms + number, tl.where(plausible, total, 0), there)
