"""The part of the image that each position of a map depends on, from the operations that the network executes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call

from landmarks.models.field import Followed, Lost, Mixed, ReceptiveField
from landmarks.models.field_tracker import FieldTracker


def receptive_fields(
    network: nn.Module, run: Callable[[torch.Tensor], torch.Tensor], height: int, width: int, stride: int = 1
) -> tuple[ReceptiveField, ReceptiveField]:
    """(vertical, horizontal) receptive field of the map that `run` computes with `network` from an image of this size.

    network  holds every parameter that `run` uses
    run      images (1, 3, height, width) float32 -> map (1, c, h, w)
    stride   of the map, where it comes out of attention alone

    Nothing is computed: the network runs on tensors without data, and the field is updated by every convolution and pooling that it
    executes, so padding that depends on the size of the image (TensorFlow's "same") is exact. Pooling over the whole image (squeeze
    and excitation) is left out, as usual, and so is attention where a sum leads around it. Where a map comes out of attention alone,
    as in a vision transformer, each position has the field of its patch.

    Raises ValueError where an operation cannot be followed.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    with torch.inference_mode(False):
        shadows = {f"network.{name}": torch.empty_like(tensor, device="meta") for name, tensor in tensors}
        image = torch.empty(1, 3, height, width, device="meta")
    was_training = network.training
    network.eval()
    try:
        # Outside of inference mode, in which composite operations are not decomposed.
        with torch.inference_mode(False), torch.no_grad(), FieldTracker(image) as tracker:
            result = functional_call(_Runner(network, run), shadows, (image,))
    finally:
        network.train(was_training)
    found = tracker.state_of(result)
    if isinstance(found, Mixed):
        return ReceptiveField(stride, stride, 0), ReceptiveField(stride, stride, 0)
    if isinstance(found, Followed) and found.axes == (2, 3):
        return found.fields
    raise ValueError(found.reason if isinstance(found, Lost) else "the map does not come from the image by convolutions and pooling")


class _Runner(nn.Module):
    def __init__(self, network: nn.Module, run: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        # `run` may be the network itself: as a second submodule its parameters would be replaced twice and restored once.
        self.network, self._run = network, (run,)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self._run[0](image)
