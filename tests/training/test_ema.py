import numpy as np
import pytest
import torch
from torch import nn

from landmarks.training.ema import WeightAverage


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def move(module):
    """Another set of weights and statistics, and one more batch counted."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    module.train()(torch.randn(5, 3))


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_average_is_that_of_its_formula_in_float64(decay):
    module = make()
    average = WeightAverage(module, decay)
    expected = {name: tensor.double().numpy().copy() for name, tensor in module.state_dict().items()}
    for step in range(1, 30):
        move(module)
        average.update(step)
        kept = min(decay, (1 + step) / (10 + step))
        for name, tensor in module.state_dict().items():
            expected[name] = kept * expected[name] + (1 - kept) * tensor.double().numpy()
    for name, tensor in average.tensors.items():
        if name != "1.num_batches_tracked":
            np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert average.tensors["1.num_batches_tracked"] == 29


def test_the_module_has_the_average_within_the_block_only():
    module = make()
    average = WeightAverage(module, 0.9)
    move(module)
    average.update(1)
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(ZeroDivisionError), average.applied():
        assert all(torch.equal(tensor, average.tensors[name]) for name, tensor in module.state_dict().items())
        assert not torch.equal(module[0].weight, own["0.weight"])
        raise ZeroDivisionError
    assert all(torch.equal(tensor, own[name]) for name, tensor in module.state_dict().items())
    average.apply()
    assert torch.equal(module[0].weight, average.tensors["0.weight"])
