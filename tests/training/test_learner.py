import torch
from torch import nn

from landmarks.config import ModelSettings, TrainSettings
from landmarks.training.learner import create_learner

MODEL = ModelSettings(backbone="test_efficientnet", pretrained=False, dimensions=8)


def test_frozen_batchnorm_is_the_backbones_alone():
    learner = create_learner("a", MODEL, TrainSettings(freeze_batchnorm=True), classes=3).train()
    assert not any(module.training for module in learner.model.backbone.modules() if isinstance(module, nn.BatchNorm2d))
    assert learner.model.head[1].training


def test_starting_weights_follow_seed_and_name():
    weights = [
        create_learner(name, MODEL, TrainSettings(seed=seed), classes=3).classifier.weight
        for name, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[3])
