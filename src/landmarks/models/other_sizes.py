"""Networks that are built for one size of image, at other sizes: built again for each, with tables of positions interpolated."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from landmarks.models.features import Unusable
from landmarks.ops.sides import Size

_LOCK = threading.Lock()  # of all networks: a lock of each could not be copied with it
_IS_TABLE = re.compile("pos|bias")  # pos_embed, relative_position_bias_table, attention_biases
_MAX_EXTRA = 8  # entries of tokens that are no positions: class, distillation, registers


class OtherSizes:
    """A network of timm that is built for images of `own` size; its tables of positions are interpolated for others.

    create  size -> the same architecture for that size, at random weights
    """

    def __init__(self, network: nn.Module, own: Size, create: Callable[[Size], nn.Module]):
        self.own, self._create = own, create
        self._others: dict[Size, tuple[nn.Module, list]] = {}
        self._shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        self._tables: dict[str, set[int]] = {}  # name of a table of positions -> its dimensions that follow the size

    def at(self, network: nn.Module, size: Size) -> nn.Module:
        """The network for this size, with the weights that `network` has now. Its gradients go nowhere: for inference."""
        if size == self.own:
            return network
        with _LOCK:
            other, before = self._other(network, size)
            now = [(tensor.data_ptr(), tensor._version) for tensor in _tensors(network)]
            if before != now:
                with torch.inference_mode(False), torch.no_grad():
                    other.load_state_dict(self._tensors_at(network, other, size), strict=False, assign=True)
                before[:] = now
        return other.eval()

    def training_at(self, network: nn.Module, size: Size) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
        """(modules that run, images -> output) for this size, whose gradients reach the parameters of `network`."""
        if size == self.own:
            return network, network
        with _LOCK:
            other, before = self._other(network, size)
            before.clear()
        for module, like in zip(other.modules(), network.modules(), strict=True):
            module.training = like.training
        tensors = self._tensors_at(network, other, size)
        return other, lambda images: functional_call(other, tensors, (images,))

    def _other(self, network: nn.Module, size: Size) -> tuple[nn.Module, list]:
        if size not in self._others:
            device = next(network.parameters()).device
            with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
                other = self._create(size).to(device)
            for name, tensor in other.state_dict().items():
                pairs = zip(tensor.shape, self._shapes[name], strict=True)
                if different := {dimension for dimension, (one, two) in enumerate(pairs) if one != two}:
                    if not _IS_TABLE.search(name):
                        raise Unusable(f"its weights '{name}' belong to the positions of {self.own.height}x{self.own.width}")
                    self._tables.setdefault(name, set()).update(different)
            self._others[size] = other, []
        return self._others[size]

    def _tensors_at(self, network: nn.Module, other: nn.Module, size: Size) -> dict[str, torch.Tensor]:
        """The parameters and statistics of `network`, tables of positions at the shapes that `other` has; indices are its own."""
        tensors, own = {}, network.state_dict(keep_vars=True)
        for name, wanted in other.state_dict().items():
            if name in self._tables and wanted.is_floating_point():
                tensors[name] = interpolated(own[name], self._tables[name], wanted.shape, self.own, size)
            elif wanted.is_floating_point() or name.endswith("num_batches_tracked"):
                tensors[name] = own[name]
        return tensors


def interpolated(table: torch.Tensor, dimensions: set[int], shape: torch.Size, old: Size, new: Size) -> torch.Tensor:
    """A table of positions, learned for images of the size `old`, for images of the size `new`: bicubic, differentiable.

    dimensions  of the table that follow the size: the two of a grid of positions, or of the offsets between any two of them, or one
                into which these are flattened. Entries of other tokens stay: in front of positions, behind offsets
    shape       that it is to have
    Raises ValueError for a table that cannot be understood.
    """
    first = min(dimensions)
    pair = (first, first + 1) if len(dimensions) == 2 or first + 1 < table.ndim else (first - 1, first)
    for extra in range(_MAX_EXTRA + 1):
        for before, after, extra_in_front in _grids(old, new):
            if len(dimensions) == 1 and table.shape[first] == math.prod(before) + extra and shape[first] == math.prod(after) + extra:
                ends = (extra, 0) if extra_in_front else (0, extra)
                front, body, back = table.split([ends[0], math.prod(before), ends[1]], first)
                body = _resized(body.unflatten(first, before), first, after).flatten(first, first + 1)
                return torch.cat([front, body, back], first)
            if extra == 0 and tuple(table.shape[d] for d in pair) == before and tuple(shape[d] for d in pair) == after:
                return _resized(table, pair[0], after)
    raise ValueError(f"weights of the shape {tuple(table.shape)} for {old} cannot be made {tuple(shape)} for {new}")


def _grids(old: Size, new: Size) -> Iterator[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Rows and columns of the grids that images of both sizes can have, and whether other entries are in front of a flattened one."""
    for stride in range(1, 129):
        before, after = ((-(-size.height // stride), -(-size.width // stride)) for size in (old, new))
        yield before, after, True
        yield (2 * before[0] - 1, 2 * before[1] - 1), (2 * after[0] - 1, 2 * after[1] - 1), False


def _resized(table: torch.Tensor, dimension: int, grid: tuple[int, int]) -> torch.Tensor:
    """`table` with `grid` entries along the dimensions `dimension` and the next."""
    moved = table.movedim((dimension, dimension + 1), (-2, -1))
    flat = moved.reshape(1, -1, *moved.shape[-2:]).float()
    resized = F.interpolate(flat, size=grid, mode="bicubic", align_corners=False)
    return resized.reshape(*moved.shape[:-2], *grid).to(table.dtype).movedim((-2, -1), (dimension, dimension + 1))


def _tensors(network: nn.Module) -> Iterator[torch.Tensor]:
    yield from network.parameters()
    yield from network.buffers()
