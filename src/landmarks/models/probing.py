"""What a network can be given, found by trying it: the sides of images it takes, and how its output is arranged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from landmarks.models.features import Layout, Unusable, find_layout
from landmarks.ops.sides import Sides, Size

Run = Callable[[torch.Tensor], Any]
_LEAST = 75  # pixels: the Inceptions take no smaller picture
_STEPS = (1, 4, 8, 14, 16, 32, 64)


class Found(NamedTuple):
    """sides that the network takes, the arrangement of its output, and the output's channels."""

    sides: Sides
    layout: Layout
    channels: int


def probe(run: Run, device: torch.device, patch: int, has_class_token: bool) -> Found | str:
    """Try multiples of 1, 4, ... pixels until images of uneven sizes give a map; or why none does.

    run    normalised images (1, 3, h, w) float32 -> output
    patch  side of the architecture's patches, which is tried as well; 0: none
    """
    reason = ""
    for step in sorted({*_STEPS, patch} - {0}):
        shapes: dict[Size, tuple[int, ...]] = {}
        try:
            for size in uneven_sizes(step):
                shapes[size] = _shape(run, size, device)
        except Unusable as error:
            return str(error)
        except Exception as error:  # other people's code, which raises whatever it likes at a size that it does not take
            reason = reason or f"an image of {size.height}x{size.width}: {_line(error)}"
            continue
        layout = find_layout(shapes, has_class_token)
        if layout is not None:
            channels = next(iter(shapes.values()))[{2: 1, 1: 3, 0: 2}[layout.rows]]
            return Found(Sides(step, _smallest(run, step, device)), layout, channels)
        reason = f"images of {_listed(shapes)} give outputs of the shapes {_listed(shapes.values())}: no map of the image"
    return reason


def uneven_sizes(step: int) -> list[Size]:
    """Sizes that show whether a network takes any multiple of `step`: two multiples of a stride, and an odd one."""
    unit = step if 32 % step else 32
    times = -(-32 // unit)
    odd = [-(-side // step) // 2 * 2 + 1 for side in (_LEAST + 22, _LEAST)]
    uneven = Size(step * (odd[0] + 2 * (odd[0] == odd[1])), step * odd[1])
    return [Size(3 * times * unit, 5 * times * unit), Size(5 * times * unit, 4 * times * unit), uneven]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """In eval mode, without gradients; its mode comes back afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _smallest(run: Run, step: int, device: torch.device) -> int:
    side = step
    while side < _LEAST:
        try:
            run(torch.zeros(1, 3, side, side, device=device))
            return side
        except Exception:  # as above
            side *= 2
    return -(-_LEAST // step) * step


def _shape(run: Run, size: Size, device: torch.device) -> tuple[int, ...]:
    output = run(torch.zeros(1, 3, *size, device=device))
    if not isinstance(output, torch.Tensor):
        raise Unusable(f"it gives {len(output)} outputs, not one map")
    return tuple(output.shape)


def _listed(sizes: Any) -> str:
    return ", ".join("x".join(map(str, size)) for size in sizes)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
