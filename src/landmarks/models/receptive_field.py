"""The part of the image that each position of a convolutional map depends on, from the operations that the network executes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_POOLS = {_aten.max_pool2d_with_indices.default, _aten.avg_pool2d.default}
# These may change the shape of a map but do not mix positions: channels moved last and back, matrix products over channels.
_REARRANGED = {_aten.permute.default, _aten.view.default, _aten._unsafe_view.default}
_MATRIX_PRODUCTS = {_aten.mm.default, _aten.addmm.default}


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


def receptive_fields(
    network: nn.Module, run: Callable[[torch.Tensor], torch.Tensor], height: int, width: int
) -> tuple[ReceptiveField, ReceptiveField]:
    """(vertical, horizontal) receptive field of the map that `run` computes with `network` from an image of this size.

    network  holds every parameter that `run` uses
    run      images (1, 3, height, width) float32 -> map (1, c, h, w)

    Nothing is computed: the network runs on tensors without data, and the field is updated by every convolution and pooling that it
    executes, so padding that depends on the size of the image (TensorFlow's "same") is exact. Pooling over the whole image (squeeze
    and excitation) is left out, as usual. Raises ValueError where an operation cannot be followed.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    with torch.inference_mode(False):
        shadows = {f"network.{name}": torch.empty_like(tensor, device="meta") for name, tensor in tensors}
        image = torch.empty(1, 3, height, width, device="meta")
    was_training = network.training
    network.eval()
    try:
        # Outside of inference mode, in which composite operations are not decomposed.
        with torch.inference_mode(False), torch.no_grad(), _FieldTracker(image) as tracker:
            result = functional_call(_Runner(network, run), shadows, (image,))
    finally:
        network.train(was_training)
    fields = tracker.fields_of(result)
    if fields is None:
        raise ValueError("the map does not come from the image by convolutions and pooling")
    return fields


class _Runner(nn.Module):
    def __init__(self, network: nn.Module, run: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        # `run` may be the network itself: as a second submodule its parameters would be replaced twice and restored once.
        self.network, self._run = network, (run,)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self._run[0](image)


class _FieldTracker(TorchDispatchMode):
    """Records the fields of every tensor made inside it: {id: (tensor, vertical, horizontal)}."""

    def __init__(self, image: torch.Tensor):
        super().__init__()
        pixel = ReceptiveField(1, 1, 0)
        # The tensors are kept alive: once freed, another could get the same id.
        self._known = {id(image): (image, pixel, pixel)}

    def fields_of(self, tensor: torch.Tensor) -> tuple[ReceptiveField, ReceptiveField] | None:
        known = self._known.get(id(tensor))
        return known and known[1:]

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        options = options or {}
        result = operation(*arguments, **options)
        made = result[0] if isinstance(result, tuple | list) else result
        fields = self._fields_after(operation, arguments, made)
        if fields is not None:
            self._known[id(made)] = (made, *fields)
        return result

    def _fields_after(self, operation, arguments, made) -> tuple[ReceptiveField, ReceptiveField] | None:
        flat = [part for argument in arguments for part in (argument if isinstance(argument, tuple | list) else [argument])]
        inputs = [tensor for tensor in flat if isinstance(tensor, torch.Tensor) and self.fields_of(tensor)]
        if not inputs:
            return None
        first = self.fields_of(inputs[0])
        if operation is _aten.convolution.default:
            _, weight, _, stride, padding, dilation, transposed = arguments[:7]
            return None if transposed else _windows(first, weight.shape[2:], stride, padding, dilation)
        if operation in _POOLS:
            kernel, stride, padding = [*arguments[1:4], 0, 0][:3]
            dilation = arguments[4] if len(arguments) > 4 and operation is _aten.max_pool2d_with_indices.default else 1
            return _windows(first, kernel, stride or kernel, padding, dilation)
        if operation is _aten.constant_pad_nd.default:
            left, _, top, _ = [*arguments[1], 0, 0][:4]
            return _windows(first, 1, 1, (top, left), 1)
        if operation in _REARRANGED or (operation in _MATRIX_PRODUCTS and len(inputs) == 1):
            return first
        alike = [self.fields_of(tensor) for tensor in inputs if tensor.shape == made.shape or _positions(tensor) == _positions(made)]
        joined = [reduce(ReceptiveField.joined, axis) for axis in zip(*alike, strict=True)]
        return tuple(joined) or None


def _positions(tensor: torch.Tensor) -> tuple[int, int] | None:
    return (tensor.shape[2], tensor.shape[3]) if tensor.ndim == 4 else None


def _windows(fields, kernel, stride, padding, dilation) -> tuple[ReceptiveField, ReceptiveField]:
    pairs = [_pair(value) for value in (kernel, stride, padding, dilation)]
    vertical, horizontal = (field.through(*(pair[axis] for pair in pairs)) for axis, field in enumerate(fields))
    return vertical, horizontal


def _pair(value) -> tuple[int, int]:
    value = list(value) if isinstance(value, tuple | list | torch.Size) else [value]
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
