import pytest
import torch
import torch.nn.functional as F

from landmarks.config import ModelSettings
from landmarks.models.build import build_model
from landmarks.models.checkpoint import load_model, save_model
from landmarks.models.delg import DelgModel
from landmarks.models.local_branch import LocalBranch, LocalMaps, attend

SETTINGS = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=16, local={"dimensions": 8, "attention_channels": 12})
IMAGES = torch.randint(0, 256, (3, 3, 96, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model(SETTINGS)


def test_shapes_and_ranges(model):
    maps = model.eval().maps(IMAGES)
    assert isinstance(model, DelgModel) and maps.tapped.shape == (3, 192, 6, 4) and maps.deep.shape == (3, 96, 3, 2)
    assert maps.local.codes.shape == (3, 8, 6, 4) and maps.local.attention.shape == (3, 1, 6, 4)
    assert maps.local.reconstruction.shape == maps.tapped.shape and maps.local.reconstruction.min() >= 0
    assert (maps.local.attention > 0).all() and model.local_dimensions == 8


def test_the_global_descriptor_is_that_of_the_plain_model(model):
    torch.manual_seed(0)
    plain = build_model(SETTINGS.model_copy(update={"local": None})).eval()
    missing = model.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(name.startswith("local.") for name in missing)
    model.eval()
    assert torch.equal(model(IMAGES), plain(IMAGES))
    assert torch.equal(model.describe_map(model.maps(IMAGES).deep), plain(IMAGES))


def test_a_head_without_batchnorm():
    head = build_model(SETTINGS.model_copy(update={"head_batchnorm": False})).head
    assert [type(layer).__name__ for layer in head] == ["Linear"] and head[0].bias is not None


def test_the_attention_reads_the_reconstruction_and_nothing_else(model):
    branch, map = model.local.eval(), torch.rand(1, 192, 5, 5)
    maps = branch(map)
    assert torch.equal(maps.codes, F.conv2d(map, branch.encoder.weight, branch.encoder.bias))  # no activation
    expected = F.softplus(branch.attention(F.relu(branch.decoder(maps.codes))))
    assert torch.equal(maps.attention, expected)


def test_pooling_by_attention_by_hand():
    reconstruction = torch.tensor([[[[3.0, 0.0]], [[4.0, 2.0]]]])  # positions (3, 4) and (0, 2): directions (.6, .8) and (0, 1)
    maps = LocalMaps(torch.zeros(0), reconstruction, torch.tensor([[[[10.0, 1.0]]]]))
    torch.testing.assert_close(attend(maps), torch.tensor([[3.0, 4.5]]))  # (6, 8) and (0, 1), halved


def test_the_threshold_follows_the_median_of_training_alone():
    torch.manual_seed(0)
    branch, maps = LocalBranch(6, SETTINGS.local), torch.rand(5, 4, 6, 7, 7)
    expected = None
    for map in maps:
        median = branch.train()(map).attention.median().detach()
        expected = median if expected is None else 0.9 * expected + 0.1 * median
        torch.testing.assert_close(branch.threshold, expected)
        branch.eval()(map)
        torch.testing.assert_close(branch.threshold, expected)


def test_a_checkpoint_carries_the_threshold(model, tmp_path):
    model.train().maps(IMAGES)
    save_model(tmp_path, model.eval(), SETTINGS)
    again = load_model(tmp_path)
    assert again.local.threshold == model.local.threshold > 0
    assert torch.equal(again.maps(IMAGES).local.codes, model.maps(IMAGES).local.codes)
