"""DOLG: the orthogonal fusion against float64, position by position as it is published, and models that have it."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from landmarks.config import DolgSettings, ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.models.checkpoint import build_model, copy_model, load_model, save_model
from landmarks.models.folding import fold_batchnorm
from landmarks.models.multi_scale import describe
from landmarks.models.orthogonal_fusion import AtrousConvolutions, OrthogonalFusion, orthogonal_to
from landmarks.training.learner import create_learner


def settings(backbone="test_efficientnet", **dolg):
    return ModelSettings(backbone=backbone, pretrained=False, dimensions=8, dolg={"channels": 12, **dolg})


def twin(fusion, pooled, map):
    """Published order, float64 on numpy: every position loses its part along the global vector, then the mean is taken."""
    state = {name: tensor.double().numpy() for name, tensor in fusion.state_dict().items()}
    whole = pooled @ state["whole.weight"].T + state["whole.bias"]
    joined = []
    for one, vector in zip(map, whole, strict=True):
        positions = one.reshape(len(one), -1).T @ state["features.0.weight"][:, :, 0, 0].T + state["features.0.bias"]
        scale = state["features.1.weight"] / np.sqrt(state["features.1.running_var"] + 1e-5)
        positions = (positions - state["features.1.running_mean"]) * scale + state["features.1.bias"]
        heights = np.maximum(positions, 0) @ state["attention.weight"][0, :, 0, 0] + state["attention.bias"]
        local = np.log1p(np.exp(heights))[:, None] * positions / np.linalg.norm(positions, axis=1, keepdims=True)
        orthogonal = [feature - (feature @ vector) / (vector @ vector) * vector for feature in local]
        joined.append(np.concatenate([vector, np.mean(orthogonal, axis=0)]))
    return np.array(joined)


def test_the_fusion_is_that_of_every_position_in_float64():
    torch.manual_seed(0)
    fusion = OrthogonalFusion(7, 5, DolgSettings(channels=6, dilations=()))
    fusion.features[1].running_mean.normal_()
    fusion.features[1].running_var.uniform_(0.5, 2)
    pooled, map = torch.randn(3, 7), torch.randn(3, 5, 4, 6)
    found = fusion.eval()(pooled, map)
    assert found.shape == (3, fusion.width) == (3, 12) and found.dtype == torch.float32
    np.testing.assert_allclose(found.detach().numpy(), twin(fusion, pooled.double().numpy(), map.double().numpy()), atol=2e-6)


def test_what_is_added_is_orthogonal_and_nothing_else_is_lost():
    local, whole = torch.randn(50, 16), torch.randn(50, 16)
    kept = orthogonal_to(local, whole)
    assert (kept * whole).sum(dim=1).abs().max() < 1e-4
    torch.testing.assert_close(orthogonal_to(kept, whole), kept, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(orthogonal_to(local, -3 * whole), kept, atol=1e-5, rtol=1e-4)  # the direction alone matters
    torch.testing.assert_close(orthogonal_to(2 * whole, whole), torch.zeros(50, 16), atol=1e-5, rtol=0)


def test_gradients_are_right_and_finite_where_the_pooled_map_is_zero():
    local, whole = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    ours = torch.autograd.grad(orthogonal_to(local, whole).pow(3).sum(), (local, whole))
    double = [tensor.detach().double().requires_grad_() for tensor in (local, whole)]
    unit = double[1] / double[1].norm(dim=1, keepdim=True)
    plain = torch.autograd.grad((double[0] - (double[0] * unit).sum(dim=1, keepdim=True) * unit).pow(3).sum(), double)
    torch.testing.assert_close(ours, tuple(gradient.float() for gradient in plain), atol=1e-4, rtol=1e-4)
    nothing = torch.zeros(3, 4, requires_grad=True)
    kept = orthogonal_to(local, nothing)
    assert torch.equal(kept, local) and torch.autograd.grad(kept.sum(), nothing)[0].isfinite().all()


def test_autocast_keeps_float32():
    fusion = OrthogonalFusion(7, 5, DolgSettings(channels=6)).eval()
    pooled, map = torch.randn(2, 7), torch.randn(2, 5, 9, 6)
    with torch.autocast("cpu", torch.bfloat16):
        half = fusion(pooled, map)
    assert half.dtype == torch.float32
    whole, rest = half.split(6, dim=1)
    assert (whole * rest).sum(dim=1).abs().max() < 1e-5
    torch.testing.assert_close(half, fusion(pooled, map), atol=0.05, rtol=0.05)


def test_atrous_convolutions_see_their_distance_and_the_mean():
    torch.manual_seed(0)
    branch, map = AtrousConvolutions(2, 3, (2, 5)).double(), torch.randn(1, 2, 13, 12, dtype=torch.float64)
    row, column, padded = 6, 3, np.pad(map[0].numpy(), ((0, 0), (5, 5), (5, 5)))
    weights = {name: tensor.numpy() for name, tensor in branch.state_dict().items()}
    parts = [np.maximum(weights["mean.weight"][:, :, 0, 0] @ map[0].numpy().mean(axis=(1, 2)) + weights["mean.bias"], 0)]
    parts.append(weights["plain.weight"][:, :, 0, 0] @ map[0, :, row, column].numpy() + weights["plain.bias"])
    for number, rate in enumerate((2, 5)):
        offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        around = np.stack([padded[:, 5 + row + rate * y, 5 + column + rate * x] for y, x in offsets], axis=1)
        parts.append(
            np.einsum("ocp,cp->o", weights[f"dilated.{number}.weight"].reshape(512, 2, 9), around) + weights[f"dilated.{number}.bias"]
        )
    expected = np.maximum(weights["joined.weight"][:, :, 0, 0] @ np.concatenate(parts) + weights["joined.bias"], 0)
    np.testing.assert_allclose(branch(map)[0, :, row, column].detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_vit"])
def test_a_model_trains_and_describes_uneven_sizes_and_is_loaded(backbone, tmp_path):
    chosen = settings(backbone)
    learner = create_learner("a", chosen, TrainSettings(scale=16.0), classes=3)
    side = learner.model.sides.one(96)
    photos = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    learner.train()
    learner(photos, torch.tensor([0, 1, 2]))["loss"].backward()
    assert not [name for name, parameter in learner.named_parameters() if parameter.grad is None]
    model = learner.model.eval()
    save_model(tmp_path, model, chosen)
    again = load_model(tmp_path)
    for height, width in ((101, 143), (160, 77)):
        photo = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(height))
        with torch.inference_mode():
            found, repeated = (describe(one, photo, (0.7071, 1.0), one.sides) for one in (model, again))
        assert found.shape == (1, 8) and torch.isfinite(found).all() and torch.equal(found, repeated)


def test_the_local_branch_shapes_the_descriptor_and_the_backbone(monkeypatch):
    torch.manual_seed(0)
    model = build_model(settings()).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    before = model(images)
    with torch.no_grad():
        model.fusion.attention.bias += 2
    assert not torch.allclose(before, model(images))
    maps = model._tap.maps

    def deep_path_cut(images):
        shallow, deep = maps(images)
        return shallow, deep._replace(map=deep.map.detach())

    monkeypatch.setattr(model._tap, "maps", deep_path_cut)
    (model(images) * torch.randn(8)).sum().backward()
    assert next(model.backbone.parameters()).grad.abs().max() > 1e-6


def test_folded_batchnorm_changes_nothing():
    model = build_model(settings("test_resnet")).eval()
    images = torch.randint(0, 256, (1, 3, 96, 64), dtype=torch.uint8)
    before = model(images)
    torch.testing.assert_close(fold_batchnorm(model)(images), before, atol=1e-4, rtol=1e-3)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValidationError, match="two local branches"):
        ModelSettings(local={}, dolg={})
    with pytest.raises(UserError, match="(?s)no map at stride 14 to 16.*models.NAME.dolg.layer"):
        build_model(settings(layer="conv_stem"))
    with pytest.raises(UserError, match="train.compile=false"):
        create_learner("a", settings(), TrainSettings(compile=True), classes=3)


def test_a_trained_model_without_it_does_not_take_its_place(tmp_path):
    chosen = settings()
    save_model(tmp_path / "with", build_model(chosen), chosen)
    with pytest.raises(UserError, match="(?s)another model.*dolg="):
        copy_model(tmp_path / "with", tmp_path / "copy", chosen.model_copy(update={"dolg": None}))
    copy_model(tmp_path / "with", tmp_path / "copy", chosen)
    assert load_model(tmp_path / "copy").fusion.width == 24
