"""What a backbone gives for a picture, whatever the shape of its output: a map, and a class token where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch

from landmarks.ops.sides import Size


class Features(NamedTuple):
    """map (n, channels, rows, columns); class_token (n, channels), None where the architecture has none. Any floating point.

    shallow  (n, c16, ~h/16, ~w/16) the map at stride 14 to 16, for a model that reads it too
    """

    map: torch.Tensor
    class_token: torch.Tensor | None = None
    shallow: torch.Tensor | None = None


class Unusable(Exception):
    """A network that gives no map of an image, whatever its size; the text says why."""


@dataclass(frozen=True)
class Layout:
    """How a module arranges its output: as a map whose rows are dimension `rows`, or as tokens (n, positions, channels).

    rows             2 for (n, c, h, w), 1 for (n, h, w, c), 0 for tokens
    stride           pixels from one position to the next; of tokens there are (side + stride - 1) // stride along a side
    prefix           tokens in front of those of the positions
    has_class_token  the first of these is the class token
    """

    rows: int
    stride: int
    prefix: int = 0
    has_class_token: bool = False

    def features(self, output: torch.Tensor, size: Size) -> Features:
        """The output for an image of this size."""
        if self.rows:
            return Features(output if self.rows == 2 else output.permute(0, 3, 1, 2))
        positions = output[:, self.prefix :].transpose(1, 2).unflatten(2, self.grid(size))
        return Features(positions, output[:, 0] if self.has_class_token else None)

    def grid(self, size: Size) -> tuple[int, int]:
        """Positions along the height and the width of an image of this size."""
        return -(-size.height // self.stride), -(-size.width // self.stride)


def find_layout(shapes: Mapping[Size, tuple[int, ...]], has_class_token: bool = False) -> Layout | None:
    """The layout that explains the shapes of a module's output for images of different heights and widths; None: there is none.

    shapes           of the first two images the sides are multiples of the stride
    has_class_token  whether the first token, where tokens precede those of the positions, is a class token
    """
    ranks = {len(shape) for shape in shapes.values()}
    if ranks == {4}:
        return _map_layout(shapes)
    first = list(shapes)[:2]
    for stride in range(1, 129) if ranks == {3} else ():
        if any(side % stride for size in first for side in size):
            continue
        layout = Layout(0, stride)
        prefixes = {shape[1] - layout.grid(size)[0] * layout.grid(size)[1] for size, shape in shapes.items()}
        if len(prefixes) == 1 and min(prefixes) >= 0:
            return Layout(0, stride, min(prefixes), has_class_token and min(prefixes) > 0)
    return None


def _map_layout(shapes: Mapping[Size, tuple[int, ...]]) -> Layout | None:
    """Channels are the dimension that is the same for all images; the stride is that of the first."""
    for rows, channels in ((2, 1), (1, 3)):
        if len({shape[channels] for shape in shapes.values()}) == 1:
            size, shape = next(iter(shapes.items()))
            return Layout(rows, round(size.height / shape[rows]))
    return None
