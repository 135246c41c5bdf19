import pytest
import torch

from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models.features import Features
from landmarks.models.pooling import GeM, create_pooling, gem


def test_power_one_is_the_mean():
    map = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(gem(map, 1.0), map.mean(dim=(2, 3)))


def test_a_large_power_nears_the_maximum():
    map = torch.rand(2, 3, 4, 5) / 1000  # powers of such small numbers vanish in float32
    torch.testing.assert_close(gem(map, 500.0), map.amax(dim=(2, 3)), rtol=0.01, atol=0)


def test_the_formula_by_hand():
    map = torch.tensor([[[[1.0, 3.0]]]])
    torch.testing.assert_close(gem(map, 3.0), torch.tensor([[14 ** (1 / 3)]]))  # (1 + 27) / 2 = 14


def test_empty_maps_and_autocast_keep_finite_float32():
    pooling, map = GeM(6.5), torch.zeros(1, 2, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pooling(Features(map.bfloat16()))
    pooled.sum().backward()
    assert pooled.dtype == torch.float32
    assert torch.isfinite(map.grad).all() and torch.isfinite(pooling.power.grad)


def test_gradients_are_those_of_the_plain_formula():
    map = torch.rand(2, 3, 4, 4, dtype=torch.float32).add_(0.1).requires_grad_()
    power = torch.tensor(3.0, requires_grad=True)
    ours = torch.autograd.grad(gem(map, power).square().sum(), (map, power))
    plain = torch.autograd.grad(map.pow(power).mean(dim=(2, 3)).pow(1 / power).square().sum(), (map, power))
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


FEATURES = Features(torch.rand(2, 3, 4, 5) - 0.3, torch.randn(2, 3))


@pytest.mark.parametrize("name, parts", [("gem", 1), ("mean", 1), ("cls", 1), ("cls_gem", 2)])
def test_poolings_by_name(name, parts):
    pooling = create_pooling(ModelSettings(pooling=name, gem_power=2.0), has_class_token=True)
    expected = {
        "gem": gem(FEATURES.map, 2.0),
        "mean": FEATURES.map.mean(dim=(2, 3)),
        "cls": FEATURES.class_token,
        "cls_gem": torch.cat([torch.nn.functional.normalize(part) for part in (FEATURES.class_token, gem(FEATURES.map, 2.0))], dim=1),
    }[name]
    assert pooling.parts == parts
    torch.testing.assert_close(pooling(FEATURES), expected)


def test_a_fixed_power_is_kept_and_not_trained():
    fixed, trained = (create_pooling(ModelSettings(gem_power=4.0, gem_trained=trained), False) for trained in (False, True))
    assert not list(fixed.parameters()) and len(list(trained.parameters())) == 1
    trained.load_state_dict(fixed.state_dict())
    assert trained.power.item() == 4
    torch.testing.assert_close(fixed(FEATURES), gem(FEATURES.map, 4.0))


@pytest.mark.parametrize("name", ["cls", "cls_gem"])
def test_a_backbone_without_a_class_token_is_named(name):
    with pytest.raises(UserError, match="'resnet50' has no class token"):
        create_pooling(ModelSettings(backbone="resnet50", pooling=name), has_class_token=False)
