import pytest
import torch

from landmarks.config import ModelSettings
from landmarks.models.checkpoint import build_model

SETTINGS = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=16)


def photos(n=3, size=64):
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dimensions, expected", [(16, 16), (0, 256)])
def test_descriptors_have_length_one(dimensions, expected):
    model = build_model(SETTINGS.model_copy(update={"dimensions": dimensions})).eval()
    descriptors = model(photos())
    assert descriptors.shape == (3, expected) and model.dimensions == expected and descriptors.dtype == torch.float32
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(3))


def test_the_normalisation_is_the_backbones():
    model = build_model(SETTINGS).eval()
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    model(torch.full((1, 3, 64, 64), 255, dtype=torch.uint8))
    expected = [(1 - mean) / std for mean, std in zip(model.backbone.mean, model.backbone.std)]
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor(expected))


def test_channels_last_gives_the_same():
    model, images = build_model(SETTINGS).eval(), photos()
    plain = model(images)
    last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, atol=1e-5, rtol=1e-4)


def test_floating_point_images_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        build_model(SETTINGS)(photos().float())
