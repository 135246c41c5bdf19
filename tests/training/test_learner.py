import numpy as np
import torch
from torch import nn

from landmarks.config import ModelSettings, TrainSettings
from landmarks.models.cosine_classifier import adacos_scale
from landmarks.models.margins import margins_by_frequency
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
