"""What every loss in models/losses does; what is special of each is tested beside it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from head_twin import head

from landmarks.config.names import module_names
from landmarks.errors import UserError
from landmarks.models import losses
from landmarks.models.cosine_classifier import CosineClassifier, adacos_scale, create_classifier

MARGIN, SCALE = 0.3, 30.0
LOSSES = module_names(Path(losses.__file__).parent)
every_loss = pytest.mark.parametrize("loss", LOSSES)
half = pytest.mark.parametrize("format", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])


def test_every_file_of_the_folder_is_found():
    assert {"arcface", "cosface", "softmax"} <= set(LOSSES)


@every_loss
def test_a_loss_is_built_by_the_name_of_its_file(loss):
    classifier = create_classifier(loss, 6, 5, MARGIN, SCALE)
    assert isinstance(classifier, CosineClassifier) and type(classifier).__module__ == f"landmarks.models.losses.{loss}"
    assert type(classifier).with_margin is not CosineClassifier.with_margin
    assert classifier.weight.shape == (5, 6) and classifier.scale == SCALE and classifier.margins.tolist() == [MARGIN] * 5
    assert [name for name, _ in create_classifier(loss, 6, 5, MARGIN, SCALE, learn_scale=True).named_parameters()] == ["weight", "scale"]
    assert list(classifier.state_dict()) == ["weight"]


def test_a_name_without_a_file_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="losses.sofmax"):
        create_classifier("sofmax", 6, 5, MARGIN, SCALE)


@every_loss
@pytest.mark.parametrize("centres", [1, 3])
@pytest.mark.parametrize("margins", [MARGIN, np.array([0.05, 0.5, 0.2, 0.3, 0.4])], ids=["one-margin", "margins"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_values_and_gradients_are_those_of_float64(loss, centres, margins, smoothing):
    torch.manual_seed(1)
    classifier = create_classifier(loss, 7, 5, margins, 12.0, learn_scale=True, centres=centres)
    descriptors, labels = torch.randn(12, 7, requires_grad=True), torch.randint(0, 5, (12,))
    logits, cosines = classifier(descriptors, labels)
    F.cross_entropy(logits, labels, label_smoothing=smoothing).backward()
    twin = head(
        loss,
        descriptors.detach().numpy(),
        classifier.weight.detach().numpy(),
        labels.numpy(),
        np.broadcast_to(margins, 5),
        12.0,
        centres,
        smoothing,
    )
    np.testing.assert_allclose(logits.detach(), twin[0], rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(cosines.detach(), twin[1], atol=1e-6)
    for gradient, expected in zip((descriptors.grad, classifier.weight.grad, classifier.scale.grad), twin[3:], strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


@every_loss
def test_the_margin_makes_the_own_class_harder_and_leaves_the_others(loss):
    torch.manual_seed(0)
    classifier = create_classifier(loss, 6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    logits, cosines = classifier(descriptors, labels)
    own = F.one_hot(labels, 5).bool()
    torch.testing.assert_close(logits[~own], SCALE * cosines[~own])
    usual = cosines[own] > -0.9  # ArcFace's margin ends where the angle would pass pi
    harder = logits[own][usual] < SCALE * cosines[own][usual]
    assert not harder.any() if loss == "softmax" else harder.all()


def test_the_nearest_centre_counts_and_it_alone_learns():
    classifier = create_classifier("softmax", 2, 2, 0.0, 1.0, centres=2)
    with torch.no_grad():
        classifier.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
    logits, cosines = classifier(torch.tensor([[0.6, 0.8]]), torch.tensor([0]))
    torch.testing.assert_close(cosines, torch.tensor([[0.8, -0.6]]))
    F.cross_entropy(logits, torch.tensor([0])).backward()
    assert classifier.weight.grad.abs().sum(dim=1).gt(0).tolist() == [False, True, True, False]


@every_loss
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("centres", [1, 3])
def test_gradients_are_finite_at_cosine_one(loss, sign, centres):
    torch.manual_seed(0)
    classifier = create_classifier(loss, 64, 50, MARGIN, SCALE, centres=centres)
    with torch.no_grad():
        classifier.weight.copy_(classifier.weight[::centres].repeat_interleave(centres, dim=0))  # all centres of a class are one
    descriptors = (sign * classifier.weight[::centres].detach()).clone().requires_grad_()
    logits, cosines = classifier(descriptors, torch.arange(50))
    F.cross_entropy(logits, torch.arange(50)).backward()
    assert cosines.diagonal().abs().min() > 1 - 1e-6
    assert torch.isfinite(logits).all() and torch.isfinite(descriptors.grad).all() and torch.isfinite(classifier.weight.grad).all()


@every_loss
@half
def test_float32_inside_autocast(loss, format):
    classifier = create_classifier(loss, 8, 4, MARGIN, SCALE, centres=2)
    descriptors, labels = torch.randn(3, 8), torch.tensor([0, 1, 2])
    outside = classifier(descriptors, labels)
    with torch.autocast("cpu", format):
        inside = classifier(descriptors, labels)
    assert inside[0].dtype == inside[1].dtype == torch.float32
    assert torch.equal(inside[0], outside[0]) and torch.equal(inside[1], outside[1])


@every_loss
@half
@pytest.mark.parametrize("sign", [1, -1])
def test_half_precision_descriptors_give_the_float64_values_of_what_they_are(loss, format, sign):
    """Also where rounding to half precision makes a descriptor the direction of its class, or its opposite."""
    torch.manual_seed(0)
    classifier = create_classifier(loss, 16, 6, MARGIN, SCALE)
    with torch.no_grad():
        classifier.weight.copy_(classifier.weight.to(format))
    descriptors = torch.cat([sign * classifier.weight.detach(), torch.randn(6, 16)]).to(format).requires_grad_()
    labels = torch.arange(12) % 6
    with torch.autocast("cpu", format):
        logits, cosines = classifier(descriptors, labels)
        loss_value = F.cross_entropy(logits, labels)
    loss_value.backward()
    weight = classifier.weight.detach().numpy()
    twin = head(loss, descriptors.detach().float().numpy(), weight, labels.numpy(), [MARGIN] * 6, SCALE)
    np.testing.assert_allclose(cosines.detach(), twin[1], atol=1e-6)
    np.testing.assert_allclose(logits.detach(), twin[0], atol=0.02)  # an angle near 0 is known to 1e-3, times the scale
    assert torch.isfinite(descriptors.grad).all() and torch.isfinite(classifier.weight.grad).all()
    np.testing.assert_allclose(descriptors.grad[6:].float(), twin[3][6:], rtol=2e-2, atol=1e-3)


def test_adacos_scale():
    assert adacos_scale(81_313) == pytest.approx(math.sqrt(2) * math.log(81_312)) == pytest.approx(15.99, abs=0.01)
    with pytest.raises(UserError, match="train.scale=adacos has no value for 2 landmarks"):
        adacos_scale(2)
