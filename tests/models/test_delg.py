import pytest
import torch

from landmarks.config import ModelSettings
from landmarks.models.checkpoint import build_model
from landmarks.models.delg import DelgModel

SETTINGS = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=16, local={"dimensions": 8, "attention_channels": 12})
IMAGES = torch.randint(0, 256, (3, 3, 96, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model(SETTINGS)


def test_shapes_and_ranges(model):
    maps = model.eval().maps(IMAGES)
    assert isinstance(model, DelgModel) and maps.shallow.shape == (3, 192, 6, 4) and maps.deep.map.shape == (3, 96, 3, 2)
    assert maps.local.codes.shape == (3, 8, 6, 4) and maps.local.attention.shape == (3, 1, 6, 4)
    assert maps.local.reconstruction.shape == maps.shallow.shape and maps.local.reconstruction.min() >= 0
    assert (maps.local.attention > 0).all() and model.local_dimensions == 8


def test_the_global_descriptor_is_that_of_the_plain_model(model):
    torch.manual_seed(0)
    plain = build_model(SETTINGS.model_copy(update={"local": None})).eval()
    missing = model.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(name.startswith("local.") for name in missing)
    model.eval()
    assert torch.equal(model(IMAGES), plain(IMAGES))
    assert torch.equal(model.describe_features(model.maps(IMAGES).deep), plain(IMAGES))


def test_a_head_without_batchnorm():
    head = build_model(SETTINGS.model_copy(update={"head_batchnorm": False})).head
    assert [type(layer).__name__ for layer in head] == ["Linear"] and head[0].bias is not None
