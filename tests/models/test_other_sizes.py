import copy

import pytest
import torch

from landmarks.models.backbone import create_backbone
from landmarks.models.other_sizes import interpolated
from landmarks.ops.sides import Size

OLD = Size(160, 160)


@pytest.fixture(scope="module", params=["test_maxvit", "test_coatnet", "test_vit_relpos"])
def backbone(request):
    torch.manual_seed(0)
    made = create_backbone(request.param, pretrained=False).eval()
    for name, parameter in made.named_parameters():
        if "bias_table" in name:
            torch.nn.init.normal_(parameter)
    return made


def test_a_table_of_positions_follows_the_grid():
    """A ramp stays a ramp, whether it lies in two dimensions or in one behind a class token's entry."""
    ramp = torch.linspace(-0.9, 0.9, 10)
    table = (2 * ramp[:, None] + ramp[None]).reshape(1, 100, 1)
    tokens = torch.cat([torch.full((1, 1, 1), 7.0), table], dim=1)
    new = Size(320, 80)
    found = interpolated(tokens, {1}, torch.Size([1, 101, 1]), OLD, new)
    assert found[0, 0] == 7
    expected = 2 * torch.linspace(-0.95, 0.95, 20)[:, None] + torch.linspace(-0.8, 0.8, 5)[None]
    grid = found[0, 1:, 0].reshape(20, 5)
    torch.testing.assert_close(grid[3:-3, 1:-1], expected[3:-3, 1:-1], atol=0.03, rtol=0)
    square = interpolated(table.reshape(1, 1, 10, 10), {2, 3}, torch.Size([1, 1, 20, 5]), OLD, new)
    torch.testing.assert_close(square.flatten(), grid.flatten())


def test_offsets_keep_their_middle():
    """Of 10 positions there are 19 offsets; the middle one is 0 at any size."""
    offsets = (torch.arange(19)[:, None] - 9).abs() + (torch.arange(19)[None] - 9).abs()
    found = interpolated(offsets.float().reshape(361, 1), {0}, torch.Size([39 * 9, 1]), OLD, Size(320, 80)).reshape(39, 9)
    assert found.argmin() == 19 * 9 + 4 and torch.allclose(found, found.flip(0).flip(1), atol=1e-5)


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match="cannot be made"):
        interpolated(torch.zeros(1009, 3), {0}, torch.Size([1013, 3]), OLD, Size(320, 160))


def test_at_its_own_size_the_network_is_used_as_it_is(backbone):
    own = backbone._others.own
    images = torch.randn(1, 3, *own)
    with torch.inference_mode():
        expected = backbone._layout.features(backbone.network(images), own).map
        assert torch.equal(backbone(images).map, expected)


def test_another_size_uses_the_weights_of_now(backbone):
    images = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = backbone(images).map
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.mul_(1.01)
    with torch.inference_mode():
        after = backbone(images).map
    assert not torch.allclose(before, after)
    torch.testing.assert_close(backbone(images).map, after, atol=1e-5, rtol=1e-4)  # as in training, with gradients


def test_gradients_at_another_size_reach_the_parameters(backbone):
    training = copy.deepcopy(backbone).train()
    training(torch.randn(2, 3, 96, 128)).map.square().mean().backward()
    lacking = [name for name, parameter in training.named_parameters() if parameter.grad is None]
    assert not lacking
    tables = [parameter for name, parameter in training.named_parameters() if "bias_table" in name]
    assert all(table.grad.abs().sum() > 0 for table in tables)


def test_statistics_of_batches_are_kept_at_another_size():
    training = create_backbone("test_coatnet", pretrained=False).train()
    norm = next(module for module in training.modules() if isinstance(module, torch.nn.BatchNorm2d))
    before = norm.running_mean.clone()
    training(torch.randn(2, 3, 96, 128))
    assert not torch.equal(norm.running_mean, before) and norm.num_batches_tracked == 1


def test_building_for_a_size_draws_no_random_numbers():
    backbone = create_backbone("test_coatnet", pretrained=False).eval()
    torch.manual_seed(3)
    with torch.inference_mode():
        backbone(torch.zeros(1, 3, 64, 160))
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
