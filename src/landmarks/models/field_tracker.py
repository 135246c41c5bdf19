"""Follows every operation of a network from the image to a map, and with it the part of the image that a position depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from landmarks.models.field import Followed, Lost, Mixed, ReceptiveField, State

_aten = torch.ops.aten
_POOLS = {_aten.max_pool2d_with_indices.default, _aten.avg_pool2d.default}
_NORMS = {_aten.native_batch_norm.default, _aten.native_layer_norm.default, _aten.native_group_norm.default}
_SOFTMAXES = {_aten._softmax.default, _aten._safe_softmax.default}
_VIEWS = {_aten.view.default, _aten._unsafe_view.default}
_SAME = {_aten.clone.default, _aten.alias.default, _aten.detach.default, _aten._to_copy.default, *_NORMS}
# Operation -> which of its arguments says over which dimensions.
_OVER_DIMENSIONS = {
    _aten.mean.dim: 1,
    _aten.sum.dim_IntList: 1,
    _aten.amax.default: 1,
    _aten.var_mean.correction: 1,
    _aten.linalg_vector_norm.default: 2,
}
_SPLITS = {_aten.split.Tensor, _aten.split_with_sizes.default}
_PRODUCTS = {_aten.bmm.default, _aten.baddbmm.default, _aten.mm.default, _aten.addmm.default}


class FieldTracker(TorchDispatchMode):
    """Records the state of every tensor that is made inside it from `image` (1, 3, h, w). Pooling over the image has none."""

    def __init__(self, image: torch.Tensor):
        super().__init__()
        # The tensors are kept alive: once freed, another could get the same id.
        self._known: dict[int, tuple[torch.Tensor, State]] = {}
        self._keep(image, Followed((2, 3), (ReceptiveField(1, 1, 0),) * 2))

    def state_of(self, tensor: Any) -> State | None:
        known = self._known.get(id(tensor))
        return known[1] if known is not None else None

    def _keep(self, tensor: torch.Tensor, state: State | None) -> None:
        if state is None:
            self._known.pop(id(tensor), None)
        else:
            self._known[id(tensor)] = tensor, state

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        flat = [part for one in arguments for part in (one if isinstance(one, tuple | list) else [one])]
        inputs = [(tensor, state) for tensor in flat if isinstance(tensor, torch.Tensor) and (state := self.state_of(tensor))]
        for made in result if isinstance(result, tuple | list) else [result]:
            if inputs and isinstance(made, torch.Tensor):
                self._keep(made, _after(operation, arguments, inputs, made))
        return result


def _after(operation: Any, arguments: Sequence[Any], inputs: list[tuple[torch.Tensor, State]], made: torch.Tensor) -> State | None:
    """The state of one tensor that an operation made from `inputs`, of which there is at least one."""
    states = [state for _, state in inputs]
    if operation in _PRODUCTS and len(inputs) > 1:
        return Mixed()  # positions weighted by what is in the image: attention
    if not any(isinstance(state, Followed) for state in states):
        return next((state for state in states if isinstance(state, Mixed)), states[0])
    lost = next((state for state in states if isinstance(state, Lost)), None)
    if lost is not None:
        return lost
    found: State | None
    if torch.Tag.pointwise in operation.tags or operation in (_aten.cat.default, _aten.stack.default, _aten.expand.default):
        found = _joined(operation, arguments, inputs, made)
    else:
        tensor, state = inputs[0]
        found = _moved(operation, arguments, tensor, state, made) if isinstance(state, Followed) and arguments[0] is tensor else _UNKNOWN
        if operation in (_aten.mm.default, _aten.addmm.default) and isinstance(state, Followed) and arguments[-2] is tensor:
            found = _over_channels(tensor, state, made)
    if found is _UNKNOWN:
        is_mixed = any(isinstance(state, Mixed) or (isinstance(state, Followed) and state.mixed) for state in states)
        return Mixed() if is_mixed else Lost(f"the operation {operation} cannot be followed")
    return found


_UNKNOWN = Lost("")


def _joined(operation: Any, arguments: Sequence[Any], inputs: list[tuple[torch.Tensor, State]], made: torch.Tensor) -> State:
    """Position by position from several tensors; those that have one position for the whole image are left out."""
    dimension = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 0
    stacked = operation is _aten.stack.default
    aligned: list[Followed] = []
    for tensor, state in inputs:
        if not isinstance(state, Followed):
            continue
        if state.flattened:
            aligned.append(state)
            continue
        axes = tuple(axis - tensor.ndim for axis in state.axes)
        if stacked:
            axes = tuple(axis - (dimension % made.ndim > axis % tensor.ndim) for axis in axes)
        if operation is _aten.cat.default and dimension % tensor.ndim in state.axes:
            return _UNKNOWN
        if all(tensor.shape[axis] == made.shape[after] for axis, after in zip(state.axes, axes, strict=True)):
            aligned.append(replace(state, axes=(axes[0] % made.ndim, axes[1] % made.ndim)))
        elif any(tensor.shape[axis] > 1 for axis in state.axes):
            return _UNKNOWN
    if len({(state.axes, state.grid, state.flattened[:-1]) for state in aligned}) != 1:
        return _UNKNOWN
    fields = [reduce(ReceptiveField.joined, axis) for axis in zip(*(state.fields for state in aligned), strict=True)]
    mixed = any(isinstance(state, Mixed) or state.mixed for _, state in inputs if not isinstance(state, Lost))
    return replace(aligned[0], fields=(fields[0], fields[1]), mixed=mixed)


def _moved(operation: Any, arguments: Sequence[Any], tensor: torch.Tensor, state: Followed, made: torch.Tensor) -> State | None:
    """From one tensor, the operation's first argument; None: without positions, _UNKNOWN: they cannot be followed."""
    axes = state.axes
    if state.flattened:
        is_back = operation in _VIEWS and tuple(made.shape[:-1]) == state.flattened[:-1]
        return replace(state, flattened=()) if is_back else state if operation in _SAME else _UNKNOWN
    if operation in _SAME:
        return state if made.shape == tensor.shape else None
    if operation in _VIEWS:
        return _viewed(tensor, state, made)
    if operation is _aten.convolution.default:
        _, weight, _, stride, padding, dilation, transposed = arguments[:7]
        return _UNKNOWN if transposed or axes != (2, 3) else _windows(state, weight.shape[2:], stride, padding, dilation)
    if operation in _POOLS and axes == (tensor.ndim - 2, tensor.ndim - 1):
        kernel, stride, padding = [*arguments[1:4], 0, 0][:3]
        dilation = arguments[4] if len(arguments) > 4 and operation is _aten.max_pool2d_with_indices.default else 1
        return _windows(state, kernel, stride or kernel, padding, dilation)
    if operation is _aten.constant_pad_nd.default:
        before = [([0] * 2 * tensor.ndim + list(arguments[1])[::-1])[::-1][2 * (tensor.ndim - 1 - axis)] for axis in axes]
        return _windows(state, 1, 1, before, 1)
    if operation in _OVER_DIMENSIONS:
        place = _OVER_DIMENSIONS[operation]
        reduced = (arguments[place] if len(arguments) > place else None) or range(tensor.ndim)
        gone = sorted(dimension % tensor.ndim for dimension in reduced)
        if set(gone) & set(axes):
            return None
        return state if made.ndim == tensor.ndim else replace(state, axes=_without(axes, gone))
    if operation in _SOFTMAXES:
        return Mixed() if arguments[1] % tensor.ndim in axes else state
    return _rearranged(operation, arguments, tensor, state, made)


def _over_channels(tensor: torch.Tensor, state: Followed, made: torch.Tensor) -> State:
    """A matrix product over the last dimension."""
    if state.flattened:
        return replace(state, flattened=(*state.flattened[:-1], made.shape[-1]))
    return _UNKNOWN if tensor.ndim - 1 in state.axes else state


def _rearranged(operation: Any, arguments: Sequence[Any], tensor: torch.Tensor, state: Followed, made: torch.Tensor) -> State:
    """Dimensions in another order, added, removed or cut."""
    axes, order = state.axes, list(range(tensor.ndim))
    if operation is _aten.permute.default:
        order = [dimension % tensor.ndim for dimension in arguments[1]]
        return replace(state, axes=(order.index(axes[0]), order.index(axes[1])))
    if operation is _aten.transpose.int:
        one, two = arguments[1] % tensor.ndim, arguments[2] % tensor.ndim
        order[one], order[two] = two, one
        return replace(state, axes=(order.index(axes[0]), order.index(axes[1])))
    dimension = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 0
    if operation is _aten.unsqueeze.default:
        place = dimension % made.ndim
        return replace(state, axes=(axes[0] + (axes[0] >= place), axes[1] + (axes[1] >= place)))
    if operation in _SPLITS:
        dimension = arguments[2] if len(arguments) > 2 else 0
        return _UNKNOWN if dimension % tensor.ndim in axes else state
    dimension %= tensor.ndim
    if operation in (_aten.select.int, _aten.unbind.int, _aten.squeeze.dim):
        if dimension in axes:
            return _UNKNOWN
        return state if made.ndim == tensor.ndim else replace(state, axes=_without(axes, [dimension]))
    if operation is _aten.slice.Tensor:
        if dimension not in axes or made.shape == tensor.shape:
            return state
        if state.grid:
            return _UNKNOWN
        start, _, step = [*arguments[2:5], *(None, None, None)][:3]
        place, first = axes.index(dimension), 0 if start is None else start % max(1, tensor.shape[dimension])
        fields = list(state.fields)
        cut = fields[place]
        fields[place] = ReceptiveField(cut.size, cut.stride * (step or 1), cut.padding - first * cut.stride)
        return replace(state, fields=(fields[0], fields[1]))
    return _UNKNOWN


def _viewed(tensor: torch.Tensor, state: Followed, made: torch.Tensor) -> State:
    """Another shape, with rows and columns among its dimensions still, as two or one; or with all dimensions but channels made one."""
    height, width = state.grid or (tensor.shape[axis] for axis in state.axes)
    first, second = (math.prod(tensor.shape[:axis]) for axis in state.axes)

    def place(size: int, before: int) -> int | None:
        found = [place for place, one in enumerate(made.shape) if one == size and math.prod(made.shape[:place]) == before]
        return found[-1] if found else None

    adjacent = bool(state.grid) or state.axes[1] == state.axes[0] + 1
    rows, columns = place(height, first), place(width, first * height if adjacent else second)
    if rows is not None and columns is not None and rows < columns:
        return replace(state, axes=(rows, columns), grid=())
    joined = place(height * width, first) if adjacent else None
    if joined is not None:
        return replace(state, axes=(joined, joined), grid=(height, width))
    if made.ndim == 2 and made.shape[-1] == tensor.shape[-1] and tensor.ndim - 1 not in state.axes:
        return replace(state, flattened=tuple(tensor.shape))
    return _UNKNOWN


def _without(axes: tuple[int, int], gone: Sequence[int]) -> tuple[int, int]:
    first, second = (axis - sum(dimension < axis for dimension in gone) for axis in axes)
    return first, second


def _windows(state: Followed, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Followed:
    pairs = [_pair(value) for value in (kernel, stride, padding, dilation)]
    vertical, horizontal = (field.through(*(pair[axis] for pair in pairs)) for axis, field in enumerate(state.fields))
    return replace(state, fields=(vertical, horizontal))


def _pair(value: Any) -> tuple[int, int]:
    value = list(value) if isinstance(value, tuple | list | torch.Size) else [value]
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
