import json

import pytest
import torch

from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models.checkpoint import build_model, copy_model, load_model, save_model
from landmarks.models.delg import DelgModel
from landmarks.models.global_model import GlobalModel

SETTINGS = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=16)
LOCAL = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=16, local={"dimensions": 8, "attention_channels": 12})


def photos(n=3, size=64):
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_settings_decide_which_model_is_built():
    assert type(build_model(SETTINGS)) is GlobalModel and type(build_model(LOCAL)) is DelgModel


def test_a_saved_model_comes_back_without_a_download(tmp_path):
    model = build_model(SETTINGS).eval()
    save_model(tmp_path, model, SETTINGS.model_copy(update={"pretrained": True}))
    again = load_model(tmp_path)
    assert not again.training and torch.equal(again(photos()), model(photos()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_broken_checkpoints_are_named(tmp_path):
    with pytest.raises(UserError, match="no trained model"):
        load_model(tmp_path)
    save_model(tmp_path, build_model(SETTINGS), SETTINGS)
    (tmp_path / "model.json").write_text(json.dumps({**json.loads((tmp_path / "model.json").read_text()), "dimensions": 8}))
    with pytest.raises(UserError, match="do not fit"):
        load_model(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="the model is damaged"):
        load_model(tmp_path)


def test_the_threshold_of_the_local_branch_is_saved(tmp_path):
    model = build_model(LOCAL)
    model.train().maps(photos())
    save_model(tmp_path, model.eval(), LOCAL)
    again = load_model(tmp_path)
    assert again.local.threshold == model.local.threshold > 0
    assert torch.equal(again.maps(photos()).local.codes, model.maps(photos()).local.codes)


def test_a_copy_is_the_same_model(tmp_path):
    save_model(tmp_path / "a", build_model(SETTINGS), SETTINGS)
    (tmp_path / "b").mkdir()
    copy_model(tmp_path / "a", tmp_path / "b", SETTINGS.model_copy(update={"gem_power": 5.0, "weight": 2.0}))
    assert torch.equal(load_model(tmp_path / "b")(photos()), load_model(tmp_path / "a")(photos()))
    assert (tmp_path / "b" / "model.json").read_text() == (tmp_path / "a" / "model.json").read_text()


def test_another_model_than_the_configuration_s_is_not_copied(tmp_path):
    save_model(tmp_path / "a", build_model(SETTINGS), SETTINGS)
    with pytest.raises(UserError, match="(?s)another model.*dimensions=16") as caught:
        copy_model(tmp_path / "a", tmp_path / "b", SETTINGS.model_copy(update={"dimensions": 32}))
    assert "backbone" not in caught.value.next and not (tmp_path / "b").exists()
    with pytest.raises(UserError, match="no trained model"):
        copy_model(tmp_path / "none", tmp_path / "b", SETTINGS)


def test_models_of_earlier_versions_are_read(tmp_path):
    """Their model.json has no pooling and does not say that a ReLU ends the decoder, which it then does."""
    settings = LOCAL.model_copy(update={"backbone": "test_convnext"})
    model = build_model(settings).eval()
    assert not model.local.positive
    model.local.positive = True
    save_model(tmp_path, model, settings)
    saved = json.loads((tmp_path / "model.json").read_text())
    for key in ("pooling", "gem_trained", "positive"):
        del saved[key]
    (tmp_path / "model.json").write_text(json.dumps(saved))
    again = load_model(tmp_path)
    assert again.local.positive and torch.equal(again(photos()), model(photos()))
    assert torch.equal(again.maps(photos()).local.attention, model.maps(photos()).local.attention)


@pytest.mark.parametrize("backbone, positive", [("test_resnet", True), ("test_convnext", False), ("test_nfnet", False)])
def test_how_the_decoder_ends_is_saved(tmp_path, backbone, positive):
    settings = LOCAL.model_copy(update={"backbone": backbone})
    model = build_model(settings).eval()
    assert model.local.positive == positive and (model.maps(photos()).local.reconstruction.min() >= 0) == positive
    save_model(tmp_path, model, settings)
    assert load_model(tmp_path).local.positive == positive


@pytest.mark.parametrize("pooling", ["cls", "cls_gem", "mean"])
def test_poolings_come_back(tmp_path, pooling):
    settings = ModelSettings(backbone="test_vit", pretrained=False, dimensions=0, pooling=pooling, gem_trained=False)
    model = build_model(settings).eval()
    save_model(tmp_path, model, settings)
    images = photos(size=48)
    assert torch.equal(load_model(tmp_path)(images), model(images)) and model.dimensions == {"cls_gem": 128}.get(pooling, 64)


def test_a_checkpoint_fits_whatever_weights_its_training_started_from(tmp_path):
    named = SETTINGS.model_copy(update={"backbone": "test_efficientnet.r160_in1k"})
    save_model(tmp_path / "a", build_model(SETTINGS), SETTINGS)
    (tmp_path / "b").mkdir()
    copy_model(tmp_path / "a", tmp_path / "b", named)
    with pytest.raises(UserError, match="another model"):
        copy_model(tmp_path / "a", tmp_path / "b", named.model_copy(update={"backbone": "test_resnet.r160_in1k"}))
