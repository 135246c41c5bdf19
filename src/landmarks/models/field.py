"""Receptive fields, and what is known of the positions of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ReceptiveField:
    """Along one axis, position i of the map depends on the pixels stride * i - padding ... stride * i - padding + size - 1."""

    size: int
    stride: int
    padding: int

    def centre(self, position: torch.Tensor) -> torch.Tensor:
        """Centre of the field of `position` (any float), in pixels; whole numbers are centres of pixels."""
        return self.stride * position + (self.size - 1) / 2 - self.padding

    def through(self, kernel: int, stride: int, padding: int, dilation: int) -> ReceptiveField:
        """The field of a map made from this one's by a convolution or pooling."""
        reach = dilation * (kernel - 1)
        return ReceptiveField(self.size + reach * self.stride, self.stride * stride, self.padding + padding * self.stride)

    def joined(self, other: ReceptiveField) -> ReceptiveField:
        """The field of a map made from two maps, position by position."""
        padding = max(self.padding, other.padding)
        end = max(self.size - self.padding, other.size - other.padding)
        return ReceptiveField(padding + end, self.stride, padding)


@dataclass(frozen=True)
class Followed:
    """A tensor with rows and columns along the dimensions `axes`, and the fields of its positions.

    grid       rows and columns where they are one dimension, both of `axes`; () where they are two
    flattened  the shape that it had before all dimensions but the last were made one; () where they were not
    mixed      whether something behind attention was added to it
    """

    axes: tuple[int, int]
    fields: tuple[ReceptiveField, ReceptiveField]
    grid: tuple[int, ...] = ()
    flattened: tuple[int, ...] = ()
    mixed: bool = False


class Mixed:
    """A tensor that comes out of attention: every position depends on all, whatever happens to them afterwards."""


@dataclass(frozen=True)
class Lost:
    """A tensor whose positions could not be followed."""

    reason: str


State = Followed | Mixed | Lost
