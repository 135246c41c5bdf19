"""Folding does not change the map."""

import copy

import pytest
import torch
from torch import nn

from landmarks.config import ModelSettings
from landmarks.models.checkpoint import build_model
from landmarks.models.folding import fold_batchnorm

LOCAL = {"efficientnet_lite0": {"layer": "blocks.5.0.bn1"}, "test_resnet": {}, "resnet18d": {}}


def model_of(backbone):
    """With statistics and scales that are not those of a fresh network."""
    torch.manual_seed(0)
    model = build_model(ModelSettings(backbone=backbone, pretrained=False, dimensions=8, local=LOCAL.get(backbone)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in ((module.running_mean, -0.2, 0.2), (module.running_var, 0.5, 2), (module.weight, 0.5, 1.5)):
                nn.init.uniform_(tensor, low, high)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return model.eval()


def norms(network):
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "test_resnet", "resnet18d"])
def test_the_maps_are_the_same_and_no_batchnorm_is_left(backbone):
    model = model_of(backbone)
    images = torch.randint(0, 256, (2, 3, 96, 64), dtype=torch.uint8)
    with torch.inference_mode():
        before, described, fields = model.maps(images), model(images), model.fields(96, 64)
        assert fold_batchnorm(model) is model and not norms(model.backbone)
        after = model.maps(images)
        for one, other in zip((before.shallow, before.deep.map, *before.local), (after.shallow, after.deep.map, *after.local), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))
        torch.testing.assert_close(model(images), described, rtol=0, atol=1e-5)
    assert model.fields(96, 64) == fields
    again = copy.deepcopy(model.state_dict())
    fold_batchnorm(model)
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


class Twice(nn.Module):
    """Gives a convolution's map to its norm and to the sum behind it."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        nn.init.uniform_(self.norm.running_mean, 1, 2)

    def forward(self, images):
        map = self.convolution(images)
        return self.norm(map) + map


class Shared(Twice):
    """One norm behind two convolutions."""

    def __init__(self):
        super().__init__()
        self.other = nn.Conv2d(4, 4, 3, 2, 1)

    def forward(self, images):
        return self.norm(self.other(self.norm(self.convolution(images))))


class ReadsItsNorm(Twice):
    """Uses an attribute of its norm."""

    def forward(self, images):
        return self.norm(self.convolution(images)) * self.norm.eps


@pytest.mark.parametrize("network", [Twice, Shared, ReadsItsNorm])
def test_a_network_that_cannot_be_folded_is_restored(network):
    torch.manual_seed(0)
    model = model_of("test_resnet")
    model.backbone.network = network()
    before = copy.deepcopy(model.eval().state_dict())
    fold_batchnorm(model)
    assert len(norms(model.backbone)) == 1
    assert model.state_dict().keys() == before.keys() and all(torch.equal(model.state_dict()[name], before[name]) for name in before)
