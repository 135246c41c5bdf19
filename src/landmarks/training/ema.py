"""An average of the weights over the steps, which generalises better than the last ones where the rate is high."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """The exponential moving average of a module's parameters and buffers; whole numbers are those of the last step.

    Behind t steps the decay is min(decay, (1 + t) / (10 + t)), so that a short training does not keep its starting weights
    (TensorFlow's ExponentialMovingAverage with num_updates).

    tensors  name -> average, as in the module's state_dict, in the precision and on the device of the weights
    """

    def __init__(self, module: nn.Module, decay: float):
        self.module, self.decay = module, decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step` (1, 2, ...) steps."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        averages, news = [], []
        for name, tensor in self.module.state_dict().items():
            if tensor.is_floating_point():
                averages.append(self.tensors[name])
                news.append(tensor)
            else:
                self.tensors[name].copy_(tensor)
        torch._foreach_lerp_(averages, news, share)

    def apply(self) -> None:
        """Make the average the module's weights."""
        self.module.load_state_dict(self.tensors)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the module has the average as its weights."""
        own = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        self.apply()
        try:
            yield
        finally:
            self.module.load_state_dict(own)
