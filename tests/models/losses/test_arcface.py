import math

import numpy as np
import torch
from head_twin import head

from landmarks.models.losses.arcface import ArcFace

MARGIN, SCALE = 0.3, 30.0


def test_an_angle_past_pi_less_the_margin_keeps_its_cosine():
    torch.manual_seed(0)
    classifier = ArcFace(6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    descriptors[0] = -classifier.weight[labels[0]].detach() + 0.01
    logits, cosines = classifier(descriptors, labels)
    expected = head("arcface", descriptors.numpy(), classifier.weight.detach().numpy(), labels.numpy(), [MARGIN] * 5, SCALE)
    assert expected[1][0, labels[0]] < -math.cos(MARGIN) and expected[0][0, labels[0]] == SCALE * expected[1][0, labels[0]]
    np.testing.assert_allclose(logits.detach(), expected[0], atol=1e-4)
    np.testing.assert_allclose(cosines.detach(), expected[1], atol=1e-6)


def test_a_cosine_beyond_one_gives_numbers():
    cosines = torch.tensor([[1.0000001], [-1.0000001]], requires_grad=True)
    moved = ArcFace(2, 2, MARGIN, SCALE).with_margin(cosines, torch.full((2, 1), MARGIN, dtype=torch.float64))
    moved.sum().backward()
    np.testing.assert_allclose(moved.detach()[:, 0], [math.cos(MARGIN), -1], atol=1e-3)
    assert torch.isfinite(cosines.grad).all()
