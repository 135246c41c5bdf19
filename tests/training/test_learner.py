import numpy as np
import pytest
import torch
from torch import nn

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError
from landmarks.models.cosine_classifier import adacos_scale
from landmarks.models.margins import margins_by_frequency
from landmarks.training.learner import create_learner

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)


def test_frozen_batchnorm_is_the_backbones_alone():
    learner = create_learner("a", MODEL, TrainSettings(freeze_batchnorm=True), classes=3).train()
    assert not any(module.training for module in learner.model.backbone.modules() if isinstance(module, nn.BatchNorm2d))
    assert learner.model.head[1].training


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batchnorm_keeps_its_statistics_from_the_first_step(frozen):
    learner = create_learner("a", MODEL, TrainSettings(freeze_batchnorm=frozen), classes=3)
    before = {name: buffer.clone() for name, buffer in learner.model.backbone.named_buffers() if "running" in name}
    learner.enter(0, 0)
    learner(torch.randint(256, (4, 3, 64, 64), dtype=torch.uint8), torch.tensor([0, 1, 2, 0]))
    after = dict(learner.model.backbone.named_buffers())
    assert before and all(torch.equal(after[name], buffer) == frozen for name, buffer in before.items())


def test_starting_weights_follow_seed_and_name():
    weights = [
        create_learner(name, MODEL, TrainSettings(seed=seed), classes=3).classifier.weight
        for name, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[3])


def test_the_margin_the_scale_and_the_smoothing_of_the_settings_are_used():
    settings = TrainSettings(loss="arcface", margin=0.05, rare_margin=0.5, scale="adacos", centres=3, label_smoothing=0.1)
    counts = np.array([100, 1, 10])
    learner = create_learner("a", MODEL, settings, 3, counts).eval()
    classifier = learner.classifier
    assert classifier.margins.tolist() == margins_by_frequency(counts, 0.05, 0.5).tolist() and classifier.weight.shape == (9, 8)
    assert classifier.scale == adacos_scale(3)
    images, labels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.tensor([0, 1, 2, 1])
    logits = classifier(learner.model(images), labels)[0]
    likelihood = logits.log_softmax(dim=1)
    expected = -(0.9 * likelihood.gather(1, labels[:, None]).mean() + 0.1 * likelihood.mean())
    torch.testing.assert_close(learner(images, labels)["loss"], expected)


def test_a_frozen_backbone_stays_while_the_head_learns():
    learner = create_learner("a", MODEL, TrainSettings(freeze_backbone_steps=1), classes=3)
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    images, labels = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8), torch.arange(6) % 3
    learner.enter(0, 0)
    learner(images, labels)["loss"].backward()
    assert all(parameter.grad is None for parameter in learner.model.backbone.parameters())
    assert learner.classifier.weight.grad.any() and learner.model.head[0].weight.grad.any()
    changed = {name for name, tensor in learner.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"model.head.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}
    learner.enter(1, 0)
    assert all(module.training for module in learner.modules())
    learner(images, labels)["loss"].backward()
    assert all(parameter.grad is not None for parameter in learner.model.backbone.parameters())


def test_dropout_leaves_out_pooled_features_in_training_alone():
    plain, dropped = (create_learner("a", MODEL, TrainSettings(drop_rate=rate), classes=3) for rate in (0.0, 0.5))
    seen = []
    dropped.model.head[0].register_forward_hook(lambda linear, inputs, output: seen.append(inputs[0]))
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(plain.eval().model(images), dropped.eval().model(images)) and seen[0].all()
        dropped.train().model(images)
    assert 0.3 < (seen[1] == 0).float().mean() < 0.7
    assert plain.state_dict().keys() == dropped.state_dict().keys()


def test_stochastic_depth_leaves_out_blocks_in_training_alone():
    model = ModelSettings(backbone="test_convnext", pretrained=False, dimensions=8)
    learner = create_learner("a", model, TrainSettings(drop_path_rate=0.9), classes=3)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8).expand(8, -1, -1, -1)
    with torch.inference_mode():
        different = [len(learner.train(mode).model.backbone(learner.model.normalise(images)).map.unique(dim=0)) for mode in (True, False)]
    assert different[0] > 1 and different[1] == 1


@pytest.mark.parametrize(("backbone", "drops"), [("efficientnet_lite0", True), ("vgg11", False)])
def test_stochastic_depth_is_timms(backbone, drops):
    model = ModelSettings(backbone=backbone, pretrained=False, dimensions=8)
    if not drops:
        with pytest.raises(UserError, match="(?s)'vgg11' has no stochastic depth.*train.drop_path_rate=0"):
            create_learner("a", model, TrainSettings(drop_path_rate=0.1), classes=3)
        return
    learner = create_learner("a", model, TrainSettings(drop_path_rate=0.1), classes=3)
    rates = [module.drop_prob for module in learner.model.backbone.modules() if type(module).__name__ == "DropPath"]
    assert rates == sorted(rates) and 0.05 < max(rates) < 0.1


def test_the_backbone_is_compiled_where_asked_for():
    for compiled in (False, True):
        learner = create_learner("a", MODEL, TrainSettings(compile=compiled), classes=3)
        assert (learner.model.backbone.network._compiled_call_impl is not None) == compiled
    assert not any("_orig_mod" in name for name in learner.state_dict())
    delg = ModelSettings(backbone="test_resnet", pretrained=False, dimensions=8, local={"dimensions": 8})
    with pytest.raises(UserError, match="(?s)local branch.*train.compile=false"):
        create_learner("a", delg, TrainSettings(compile=True), classes=3)


def test_margin_and_frozen_batchnorm_follow_the_epochs():
    settings = TrainSettings(epochs=4, margin=[0.1, 0.3], rare_margin=0.5, freeze_batchnorm=[False, False, False, True])
    learner = create_learner("a", MODEL, settings, classes=3, counts=np.array([100, 10, 1]))
    seen = []
    for epoch in range(4):
        learner.enter(epoch, epoch)
        frozen = not any(module.training for module in learner.model.backbone.modules() if isinstance(module, nn.BatchNorm2d))
        seen.append((round(learner.classifier.margins[0].item(), 6), round(learner.classifier.margins[2].item(), 6), frozen))
    assert seen == [(0.1, 0.5, False), (0.1, 0.5, False), (0.3, 0.5, False), (0.3, 0.5, True)]
    assert learner.model.head[1].training


@pytest.mark.slow
def test_a_compiled_backbone_gives_the_same_losses():
    """A minute or more: the compiler of C++ is run."""
    images, labels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.arange(4) % 3
    losses = []
    for compiled in (False, True):
        learner = create_learner("a", MODEL, TrainSettings(compile=compiled, freeze_backbone_steps=1), classes=3)
        for step in range(2):  # the head alone, then all
            learner.enter(step, 0)
            losses.append(learner(images, labels)["loss"])
            losses[-1].backward()
    assert [float(loss) for loss in losses[:2]] == pytest.approx([float(loss) for loss in losses[2:]], rel=1e-4)
