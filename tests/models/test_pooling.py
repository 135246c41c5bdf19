import torch

from landmarks.models.pooling import GeM, gem


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
        pooled = pooling(map.bfloat16())
    pooled.sum().backward()
    assert pooled.dtype == torch.float32
    assert torch.isfinite(map.grad).all() and torch.isfinite(pooling.power.grad)


def test_gradients_are_those_of_the_plain_formula():
    map = torch.rand(2, 3, 4, 4, dtype=torch.float32).add_(0.1).requires_grad_()
    power = torch.tensor(3.0, requires_grad=True)
    ours = torch.autograd.grad(gem(map, power).square().sum(), (map, power))
    plain = torch.autograd.grad(map.pow(power).mean(dim=(2, 3)).pow(1 / power).square().sum(), (map, power))
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
