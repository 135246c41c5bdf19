import pytest
import torch

from landmarks.errors import UserError
from landmarks.models.architectures import synchronise_batchnorm
from landmarks.models.backbone import create_backbone
from landmarks.models.shallow_map import ShallowMap

IMAGES = torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_convnext", "test_nfnet"])
def test_both_maps_come_from_one_pass(name):
    backbone = create_backbone(name, pretrained=False).eval()
    shallow_map, passes = ShallowMap(backbone), []
    backbone.network.register_forward_hook(lambda *_: passes.append(1))
    middle, deep = shallow_map.maps(IMAGES)
    assert middle.shape == (2, shallow_map.channels, 6, 4) and deep.map.shape == (2, backbone.channels, 3, 2) and len(passes) == 1
    assert torch.equal(deep.map, backbone(IMAGES).map)
    assert shallow_map.fields(96, 64)[0].stride == 16


def test_the_map_is_that_of_the_named_layer():
    backbone = create_backbone("test_resnet", pretrained=False).eval()
    network = backbone.network
    stem = network.maxpool(network.act1(network.bn1(network.conv1(IMAGES))))
    expected = network.layer3(network.layer2(network.layer1(stem)))
    assert torch.equal(ShallowMap(backbone).maps(IMAGES)[0], expected) and ShallowMap(backbone).layer == "layer3"
    assert torch.equal(ShallowMap(backbone, "layer3.0").maps(IMAGES)[0], network.layer3[0](network.layer2(network.layer1(stem))))


def test_batchnorm_may_be_replaced_afterwards():
    backbone = create_backbone("test_efficientnet", pretrained=False).eval()
    shallow_map = ShallowMap(backbone, "blocks.4.0.bn1")
    expected = shallow_map.maps(IMAGES)[0]
    synchronise_batchnorm(backbone)
    torch.testing.assert_close(shallow_map.maps(IMAGES)[0], expected)


@pytest.mark.parametrize("layer", ["layer2", "layer4", "layer9", "global_pool"])
def test_a_layer_without_a_map_at_stride_16_is_refused(layer):
    with pytest.raises(UserError, match=f"'{layer}' gives no map at stride 14 to 16"):
        ShallowMap(create_backbone("test_resnet", pretrained=False), layer)


def test_a_network_without_a_list_of_maps_needs_a_name():
    backbone = create_backbone("test_resnet", pretrained=False)
    backbone.network.feature_info = []
    with pytest.raises(UserError, match="names no map"):
        ShallowMap(backbone)
    assert ShallowMap(backbone, "layer3").channels == 192
