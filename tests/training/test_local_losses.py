import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landmarks.config import ModelSettings, TrainSettings
from landmarks.models.delg import DelgMaps
from landmarks.models.features import Features
from landmarks.models.local_branch import LocalMaps
from landmarks.training.learner import create_learner
from landmarks.training.local_losses import measure_local, weighted_cross_entropy

LOCAL = {"dimensions": 8, "attention_channels": 12}
IMAGES = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(4)


def make(backbone="test_resnet", local=LOCAL, **settings):
    model = ModelSettings(backbone=backbone, pretrained=False, dimensions=8, local=local)
    return create_learner("a", model, TrainSettings(**settings), classes=4).train()


@pytest.mark.parametrize("backbone, layer", [("test_resnet", ""), ("test_efficientnet", "blocks.4.0.bn1")])
def test_the_local_losses_do_not_reach_the_backbone(backbone, layer):
    gradients = {}
    for stops in (True, False):
        learner = make(backbone, {**LOCAL, "layer": layer})
        learner.model.stops_gradient = stops
        numbers = learner(IMAGES, LABELS)
        (numbers["loss_attention"] + numbers["loss_reconstruction"]).backward()
        gradients[stops] = [parameter.grad for parameter in learner.model.backbone.parameters()]
        assert all(parameter.grad.abs().sum() > 0 for parameter in learner.model.local.encoder.parameters())
    assert all(gradient is None or not gradient.any() for gradient in gradients[True])
    assert sum(gradient is not None and bool(gradient.any()) for gradient in gradients[False]) > 10


def test_the_backbone_learns_as_without_the_branch():
    with_local, alone = make(), make(local=None)
    alone.load_state_dict({name: tensor for name, tensor in with_local.state_dict().items() if name in alone.state_dict()})
    for learner in (with_local, alone):
        learner(IMAGES, LABELS)["loss"].backward()
    for (name, one), two in zip(alone.model.backbone.named_parameters(), with_local.model.backbone.parameters()):
        torch.testing.assert_close(two.grad, one.grad, msg=name)


def test_the_losses_are_weighted_as_set():
    numbers = make(local={**LOCAL, "attention_weight": 0.5, "reconstruction_weight": 3.0})(IMAGES, LABELS)
    expected = numbers["loss_global"] + 0.5 * numbers["loss_attention"] + 3 * numbers["loss_reconstruction"]
    torch.testing.assert_close(numbers["loss"], expected)
    default = make()(IMAGES, LABELS)
    torch.testing.assert_close(default["loss"], default["loss_global"] + default["loss_attention"] + 10 * default["loss_reconstruction"])


def test_the_numbers_by_hand():
    shallow = torch.tensor([1.0, 0.0, 0.0, -2.0]).view(1, 2, 1, 2)
    deep = Features(torch.tensor([0.0, 5.0]).view(1, 2, 1, 1))
    reconstruction = torch.tensor([3.0, 0.0, 4.0, 2.0]).view(1, 2, 1, 2)
    attention = torch.tensor([10.0, 1.0]).view(1, 1, 1, 2)
    classifier = nn.Linear(2, 2)
    with torch.no_grad():
        classifier.weight.copy_(torch.eye(2))
        classifier.bias.zero_()
        numbers = measure_local(
            DelgMaps(shallow, deep, LocalMaps(torch.zeros(0), reconstruction, attention)), classifier, torch.tensor([0])
        )
    assert numbers["sparsity_16"] == 3 / 4 and numbers["sparsity_32"] == 1 / 2 and numbers["attention_median"] == 1
    assert numbers["loss_reconstruction"] == (4 + 0 + 16 + 16) / 4
    np.testing.assert_allclose(numbers["loss_attention"], F.cross_entropy(torch.tensor([[3.0, 4.5]]), torch.tensor([0])))


def test_every_parameter_gets_a_gradient():
    learner = make(learn_scale=True, scale=8.0)
    learner(IMAGES, LABELS)["loss"].backward()
    without_gradient = [name for name, parameter in learner.named_parameters() if not parameter.grad.any()]
    assert [name for name in without_gradient if not name.startswith("model.backbone.")] == []  # there residual branches start at 0
    assert learner.classifier.scale.item() == 8


def test_weighted_cross_entropy_is_divided_by_the_number_of_images():
    """So that the mean over parts of a batch is that of the batch."""
    torch.manual_seed(0)
    logits, labels, weights = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1.0, 0.5, 0.0, 2.0, 0.25, 1.0])
    expected = 0.0
    for row, label, weight in zip(logits.double().tolist(), labels.tolist(), weights.tolist(), strict=True):
        expected += weight * (math.log(sum(map(math.exp, row))) - row[label]) / 6
    whole = weighted_cross_entropy(logits, labels, weights)
    assert float(whole) == pytest.approx(expected, rel=1e-6)
    parts = [weighted_cross_entropy(logits[part], labels[part], weights[part]) for part in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close((parts[0] + parts[1]) / 2, whole)
    smoothed = weighted_cross_entropy(logits, labels, torch.ones(6), 0.1)
    torch.testing.assert_close(smoothed, weighted_cross_entropy(logits, labels, None, 0.1))
