"""What every loss in models/losses does; the margin of each has its own test beside it."""

from pathlib import Path

import pytest
import torch

from landmarks.config.names import module_names
from landmarks.models import losses
from landmarks.models.cosine_classifier import CosineClassifier, create_classifier

MARGIN, SCALE = 0.3, 30.0
LOSSES = module_names(Path(losses.__file__).parent)
every_loss = pytest.mark.parametrize("loss", LOSSES)


def test_every_file_of_the_folder_is_found():
    assert {"arcface", "cosface"} <= set(LOSSES)


@every_loss
def test_a_loss_is_built_by_the_name_of_its_file(loss):
    classifier = create_classifier(loss, 6, 5, MARGIN, SCALE)
    assert isinstance(classifier, CosineClassifier) and type(classifier).__module__ == f"landmarks.models.losses.{loss}"
    assert type(classifier).with_margin is not CosineClassifier.with_margin
    assert classifier.weight.shape == (5, 6) and (classifier.margin, classifier.scale) == (MARGIN, SCALE)
    assert [name for name, _ in create_classifier(loss, 6, 5, MARGIN, SCALE, learn_scale=True).named_parameters()] == ["weight", "scale"]


def test_a_name_without_a_file_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="losses.softmax"):
        create_classifier("softmax", 6, 5, MARGIN, SCALE)


@every_loss
def test_the_margin_makes_the_own_class_harder_and_leaves_the_others(loss):
    torch.manual_seed(0)
    classifier = create_classifier(loss, 6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    logits, cosines = classifier(descriptors, labels)
    own = torch.nn.functional.one_hot(labels, 5).bool()
    torch.testing.assert_close(logits[~own], SCALE * cosines[~own])
    usual = cosines[own] > -0.9  # ArcFace's margin ends where the angle would pass pi
    assert (logits[own][usual] < SCALE * cosines[own][usual]).all()


@every_loss
@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_are_finite_at_cosine_one(loss, sign):
    classifier = create_classifier(loss, 64, 50, MARGIN, SCALE)
    descriptors = (sign * classifier.weight.detach()).clone().requires_grad_()
    logits, cosines = classifier(descriptors, torch.arange(50))
    logits.sum().backward()
    assert cosines.diagonal().abs().min() > 1 - 1e-6
    assert torch.isfinite(logits).all() and torch.isfinite(descriptors.grad).all() and torch.isfinite(classifier.weight.grad).all()


@every_loss
def test_float32_inside_autocast(loss):
    classifier = create_classifier(loss, 8, 4, MARGIN, SCALE)
    descriptors, labels = torch.randn(3, 8), torch.tensor([0, 1, 2])
    outside = classifier(descriptors, labels)
    with torch.autocast("cpu", torch.bfloat16):
        inside = classifier(descriptors, labels)
    assert torch.equal(inside[0], outside[0]) and torch.equal(inside[1], outside[1])
