import numpy as np
import pytest
import timm
import torch

from landmarks.errors import UserError
from landmarks.models.backbone import create_backbone, synchronise_batchnorm


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_convnext"])
def test_the_map_has_stride_32(name):
    backbone = create_backbone(name, pretrained=False).eval()
    assert backbone(torch.zeros(2, 3, 96, 64)).shape == (2, backbone.channels, 3, 2)


def test_packaged_weights_know_imagenet():
    """With the classifier kept, the network recognises a photo: every weight is in its place."""
    cbook = pytest.importorskip("matplotlib.cbook")
    from PIL import Image

    from landmarks.models import backbone

    network = timm.create_model(backbone._BUNDLED_IN_TIMM).eval()
    backbone._load_bundled_weights(network)
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = np.array(Image.open(file).convert("RGB").resize((224, 224)), np.float32)
    logits = network((torch.from_numpy(photo).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5)
    assert int(logits.argmax()) == 652  # military uniform


def test_packaged_weights_differ_from_random_ones():
    pretrained, random = create_backbone("efficientnet_lite0", True), create_backbone("efficientnet_lite0", False)
    assert (pretrained.channels, pretrained.mean, pretrained.std) == (1280, (0.5,) * 3, (0.5,) * 3)
    assert not torch.equal(pretrained.network.conv_stem.weight, random.network.conv_stem.weight)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="resnet101"):
        create_backbone("resnet_101", pretrained=False)


@pytest.mark.parametrize("name", ["test_vit", "test_mambaout"])
def test_an_architecture_without_a_map_is_refused(name):
    with pytest.raises(UserError, match="stride 32"):
        create_backbone(name, pretrained=False)


def test_a_failed_download_names_the_ways_out(monkeypatch):
    def create_model(*arguments, **options):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(timm, "create_model", create_model)
    with pytest.raises(UserError, match="(?s)no route to host.*pretrained=false.*efficientnet_lite0"):
        create_backbone("resnet50", pretrained=True)


def test_synchronised_batchnorm_keeps_fused_activations():
    backbone = create_backbone("test_efficientnet", pretrained=False)
    names = set(backbone.state_dict())
    converted = synchronise_batchnorm(backbone)
    kinds = {type(module).__name__ for module in converted.modules()}
    assert "SyncBatchNormAct" in kinds and "BatchNormAct2d" not in kinds and set(converted.state_dict()) == names
