"""Any backbone: built, trained for a step, described at uneven sizes and two scales, saved and loaded; random weights.

timm's small ones every time. The real ones are slow: `./run.sh test -m slow` runs them; EXPERIMENTS.md, 2026-11-25, has the outcome.
"""

import pytest
import torch

from landmarks.config import ModelSettings, TrainSettings
from landmarks.models.checkpoint import load_model, save_model
from landmarks.models.delg import DelgModel
from landmarks.models.local_features import describe_local
from landmarks.models.multi_scale import describe
from landmarks.training.learner import create_learner

# name: whether it has a class token, and whether local features have a place
SMALL = {
    "test_byobnet": (False, True),
    "test_coatnet": (False, True),
    "test_convnext": (False, True),
    "test_efficientnet": (False, True),
    "test_mambaout": (False, True),
    "test_maxvit": (False, True),
    "test_nfnet": (False, True),
    "test_resnet": (False, True),
    "test_vit": (True, True),
    "test_vit2": (False, True),
    "test_vit_relpos": (False, True),
}
REAL = {
    "resnet50": (False, True),
    "legacy_seresnext50_32x4d": (False, True),
    "resnest14d": (False, True),
    "res2net50_26w_4s": (False, True),
    "dla102": (False, True),
    "hrnet_w18_small": (False, False),
    "densenet121": (False, True),
    "regnety_002": (False, True),
    "convnext_atto": (False, True),
    "convnextv2_atto": (False, True),
    "tf_efficientnet_b0": (False, True),
    "tf_efficientnetv2_b0": (False, True),
    "mobilenetv4_conv_small": (False, True),
    "nextvit_small": (False, True),
    "fastvit_t8": (False, True),
    "caformer_s18": (False, True),
    "dm_nfnet_f0": (False, True),
    "resnetv2_50": (False, True),
    "inception_next_atto": (False, True),
    "efficientformerv2_s0": (False, True),
    "swin_tiny_patch4_window7_224": (False, True),
    "swinv2_tiny_window8_256": (False, True),
    "maxvit_tiny_tf_224": (False, True),
    "coatnet_0_rw_224": (False, True),
    "vit_small_patch14_dinov2": (True, True),
    "vit_small_patch14_reg4_dinov2": (True, True),
    "vit_small_patch16_dinov3": (True, True),
    "vit_base_patch16_siglip_224": (False, True),
    "eva02_tiny_patch14_224": (True, True),
    "deit_tiny_patch16_224": (True, True),
    "deit_tiny_distilled_patch16_224": (True, True),
    "beit_base_patch16_224": (True, True),
    "hiera_tiny_224": (False, True),
    "mvitv2_tiny": (False, False),
    "levit_128": (False, False),
    "xcit_nano_12_p8_224": (True, False),
    "vit_so400m_patch14_siglip_224": (False, True),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_backbone_from_end_to_end(name, tmp_path):
    end_to_end(name, *SMALL[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_real_backbone_from_end_to_end(name, tmp_path):
    end_to_end(name, *REAL[name], tmp_path)


def end_to_end(name, has_class_token, has_places, folder):
    settings = ModelSettings(
        backbone=name,
        pretrained=False,
        dimensions=8,
        pooling="cls_gem" if has_class_token else "gem",
        local={"dimensions": 4, "attention_channels": 6} if has_places else None,
    )
    learner = create_learner("a", settings, TrainSettings(scale=16.0), classes=3)
    model = learner.model
    assert model.backbone.has_class_token == has_class_token and isinstance(model, DelgModel) == has_places
    trained_a_step(learner)
    model.eval()
    save_model(folder, model, settings)
    again = load_model(folder)
    for height, width in ((101, 143), (160, 77)):
        photos = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(height))
        with torch.inference_mode():
            found, repeated = (describe(one, photos, (0.7071, 1.0), one.sides) for one in (model, again))
        assert found.shape == (1, 8) and torch.isfinite(found).all() and torch.equal(found, repeated)
        if not has_places:
            continue
        with torch.inference_mode():
            local, same = (describe_local(one, photos, (0.7071, 1.0), 50, threshold=0)[0] for one in (model, again))
        x, y = local.keypoints[:, 0], local.keypoints[:, 1]
        # A map has a position more than fits where its convolutions pad: it may lie a stride behind the border.
        assert len(x) > 10 and -1 <= x.min() and x.max() < width + 32 and -1 <= y.min() and y.max() < height + 32
        assert (local.keypoints == same.keypoints).all() and (local.descriptors == same.descriptors).all()


def trained_a_step(learner):
    """Every parameter gets a gradient, and the network still works after a step along them."""
    side = learner.model.sides.one(96)
    photos = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(learner.parameters(), lr=1e-3)
    learner.train()
    loss = learner(photos, torch.tensor([0, 1, 2]))["loss"]
    loss.backward()
    grads = [name for name, parameter in learner.named_parameters() if parameter.requires_grad and parameter.grad is None]
    assert not grads, f"without a gradient, which training on several GPUs does not take: {grads[:5]}"
    optimizer.step()
    assert torch.isfinite(loss) and torch.isfinite(learner(photos, torch.tensor([0, 1, 2]))["loss"])
