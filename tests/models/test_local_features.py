import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import ModelSettings
from landmarks.models.checkpoint import build_model
from landmarks.models.local_features import describe_both, describe_local
from landmarks.models.multi_scale import shrink

PYRAMID = tuple(2 ** (step / 2) for step in range(-4, 3))


def photos(height, width, count=2):
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    settings = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=16, local={"dimensions": 8, "attention_channels": 12})
    return build_model(settings).eval()


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def twin(model, image, scales, max_features, threshold, factor, offset):
    """One position at a time."""
    found = []
    for scale in sorted(scales):
        small = shrink(image[None], scale / max(scales))
        if min(small.shape[2:]) < 16:
            continue
        maps = model.maps(small).local
        for row in range(maps.codes.shape[2]):
            for column in range(maps.codes.shape[3]):
                place = []
                for position, large, length, axis in (
                    (column, image.shape[2], small.shape[3], 0),
                    (row, image.shape[1], small.shape[2], 1),
                ):
                    edge = (16 * position + 0.5) / length * large  # test_resnet is symmetric: position i looks at pixel 16 i
                    place.append(edge * factor[axis] - 0.5 + offset[axis])
                attention = float(maps.attention[0, 0, row, column])
                if attention >= threshold:
                    found.append((attention, [*place, 1 / scale, attention], F.normalize(maps.codes[0, :, row, column], dim=0).numpy()))
    found.sort(key=lambda item: -item[0])
    return np.array([item[1] for item in found[:max_features]]), np.array([item[2] for item in found[:max_features]])


@pytest.mark.parametrize("max_features, quantile", [(1000, 0.0), (40, 0.0), (1000, 0.8)])
def test_equals_the_twin(model, max_features, quantile):
    images, scales = photos(96, 130), (0.5, 0.7071, 1.4142)
    threshold = float(np.quantile(describe_local(model, images, scales, threshold=0)[0].keypoints[:, 3], quantile)) - 1e-6
    factors, offsets = np.array([[2.0, 3.0], [1.0, 0.5]]), np.array([[0.0, 0.0], [7.0, -2.0]])
    features = describe_local(model, images, scales, max_features, threshold, factors, offsets)
    for image, found, factor, offset in zip(images, features, factors, offsets):
        keypoints, descriptors = twin(model, image, scales, max_features, threshold, factor, offset)
        assert found.keypoints.dtype == found.descriptors.dtype == np.float32 and len(keypoints) > 10
        np.testing.assert_allclose(found.keypoints, keypoints, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(found.descriptors, descriptors, atol=1e-4)


def test_the_models_own_threshold_is_the_default(model):
    images = photos(96, 96)
    every = describe_local(model, images, (1.0,), threshold=0)
    model.local.threshold.fill_(float(every[0].keypoints[10, 3]))
    try:
        assert len(describe_local(model, images, (1.0,))[0].keypoints) == 11
    finally:
        model.local.threshold.zero_()
    assert len(every[0].keypoints) == 36 and (np.diff(every[0].keypoints[:, 3]) <= 0).all()


def test_one_pass_gives_what_two_give(model):
    images, scales = photos(128, 96), (0.7071, 1.0, 1.4142)  # as typed; the pyramid's are 2^-0.5 and 2^0.5
    passes = []
    handle = model.backbone.network.register_forward_pre_hook(lambda _, arguments: passes.append(arguments[0].device.type))
    both, features = describe_both(model, images, scales, PYRAMID, 50)
    handle.remove()
    assert passes.count("cpu") == 6  # of seven sizes the smallest, 16 x 12, is too small
    for one, two in zip(features.read(), describe_local(model, images, PYRAMID, 50)):
        assert np.array_equal(one.keypoints, two.keypoints) and np.array_equal(one.descriptors, two.descriptors)
    torch.testing.assert_close(both, F.normalize(sum(model(shrink(images, scale / 2)) for scale in scales)))


def test_scales_of_one_size_give_each_feature_once(model):
    images = photos(64, 64)
    assert len(describe_local(model, images, (1.0, 0.999))[0].keypoints) == 16
    both, _ = describe_both(model, images, (0.5, 1.0, 0.999), (0.25,))
    torch.testing.assert_close(both, F.normalize(model(shrink(images, 0.5)) + 2 * model(images)))


@pytest.mark.parametrize("height, width, least", [(128, 16, 8), (16, 16, 1), (15, 400, 0), (1, 1, 0), (5, 3, 0)])
def test_small_images_give_few_features_or_none(model, height, width, least):
    both, features = describe_both(model, photos(height, width), (1.0,), PYRAMID)
    assert both.shape == (2, 16) and torch.isfinite(both).all()
    for found in features.read():
        assert (len(found.keypoints) > 0) == (least > 0) and len(found.keypoints) >= least
        assert found.keypoints.shape == (len(found.descriptors), 4) and found.descriptors.shape[1] == 8


def averaging(backbone):
    """Every layer an average: what a position says then depends on nothing but where it looks."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.fill_(1 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.reset_parameters()


@pytest.mark.parametrize("name, layer", [("efficientnet_lite0", "blocks.5.0.bn1"), ("resnet18", "")])
@pytest.mark.parametrize("height, width, scale", [(384, 384, 1.0), (451, 397, 1.0), (512, 512, 0.5), (611, 437, 0.7071)])
def test_keypoints_lie_where_a_rendered_blob_is(name, layer, height, width, scale):
    """The mean of the keypoints, weighted by what the blob changes at them, is the blob's centre to within a pixel."""
    settings = ModelSettings(backbone=name, pretrained=False, dimensions=0, local={"dimensions": 4, "layer": layer})
    model = build_model(settings).eval()
    averaging(model.backbone)
    # A blob as wide as the stride: of a smaller one the mean over the grid of keypoints would swing about its centre.
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = (0.53 * width, 0.47 * height)
    blob = torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 12**2))
    images = torch.stack([torch.full((3, height, width), 128), (128 + 100 * blob).round().expand(3, -1, -1)]).to(torch.uint8)
    small = shrink(images, scale)
    map = model.maps(small).shallow
    change = (map[1] - map[0]).abs().sum(dim=0)
    assert change.max() > 1e-3 and change[0].max() < 0.02 * change.max()  # seen, and not at the border
    # All positions of one scale, back in their order.
    model.local.attention[-1].weight.zero_()
    model.local.attention[-1].bias.zero_()
    keypoints = describe_local(
        model, images if scale == 1 else small, (scale,), change.numel(), factors=(width / small.shape[3], height / small.shape[2])
    )
    place = keypoints[0].keypoints[:, :2].reshape(*change.shape, 2)
    found = (place * change.numpy()[..., None]).sum(axis=(0, 1)) / float(change.sum())
    np.testing.assert_allclose(found, centre, atol=1.0)
