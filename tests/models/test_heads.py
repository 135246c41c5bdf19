import math

import numpy as np
import pytest
import torch

from landmarks.models.heads import create_classifier

MARGIN, SCALE = 0.3, 30.0


def twin(loss, descriptors, weight, labels):
    """One image and one class at a time, in float64, by the angle itself."""
    logits, cosines = (np.empty((len(descriptors), len(weight))) for _ in range(2))
    for i, x in enumerate(descriptors.astype(np.float64)):
        for c, w in enumerate(weight.astype(np.float64)):
            cosine = x @ w / np.linalg.norm(x) / np.linalg.norm(w)
            cosines[i, c] = logits[i, c] = cosine
            if c == labels[i] and loss == "cosface":
                logits[i, c] = cosine - MARGIN
            if c == labels[i] and loss == "arcface" and math.acos(cosine) <= math.pi - MARGIN:
                logits[i, c] = math.cos(math.acos(cosine) + MARGIN)
    return logits * SCALE, cosines


@pytest.mark.parametrize("loss", ["arcface", "cosface"])
def test_equals_the_plain_twin(loss):
    torch.manual_seed(0)
    classifier = create_classifier(loss, 6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    descriptors[0] = -classifier.weight[labels[0]].detach() + 0.01  # an angle past pi - margin
    logits, cosines = classifier(descriptors, labels)
    expected = twin(loss, descriptors.numpy(), classifier.weight.detach().numpy(), labels.numpy())
    np.testing.assert_allclose(logits.detach(), expected[0], atol=1e-4)
    np.testing.assert_allclose(cosines.detach(), expected[1], atol=1e-6)


@pytest.mark.parametrize("loss", ["arcface", "cosface"])
@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_are_finite_at_cosine_one(loss, sign):
    classifier = create_classifier(loss, 64, 50, MARGIN, SCALE)
    descriptors = (sign * classifier.weight.detach()).clone().requires_grad_()
    logits, cosines = classifier(descriptors, torch.arange(50))
    logits.sum().backward()
    assert cosines.diagonal().abs().min() > 1 - 1e-6
    assert torch.isfinite(logits).all() and torch.isfinite(descriptors.grad).all() and torch.isfinite(classifier.weight.grad).all()


def test_a_cosine_beyond_one_gives_numbers():
    arcface = create_classifier("arcface", 2, 2, MARGIN, SCALE)
    cosines = torch.tensor([[1.0000001], [-1.0000001]], requires_grad=True)
    moved = arcface.with_margin(cosines)
    moved.sum().backward()
    np.testing.assert_allclose(moved.detach()[:, 0], [math.cos(MARGIN), -1], atol=1e-3)
    assert torch.isfinite(cosines.grad).all()


def test_float32_inside_autocast():
    classifier = create_classifier("arcface", 8, 4, MARGIN, SCALE)
    descriptors, labels = torch.randn(3, 8), torch.tensor([0, 1, 2])
    outside = classifier(descriptors, labels)
    with torch.autocast("cpu", torch.bfloat16):
        inside = classifier(descriptors, labels)
    assert torch.equal(inside[0], outside[0]) and torch.equal(inside[1], outside[1])
