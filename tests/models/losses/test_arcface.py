import math

import numpy as np
import torch

from landmarks.models.losses.arcface import ArcFace

MARGIN, SCALE = 0.3, 30.0


def twin(descriptors, weight, labels):
    """One image and one class at a time, in float64, by the angle itself."""
    logits, cosines = (np.empty((len(descriptors), len(weight))) for _ in range(2))
    for i, x in enumerate(descriptors.astype(np.float64)):
        for c, w in enumerate(weight.astype(np.float64)):
            cosine = x @ w / np.linalg.norm(x) / np.linalg.norm(w)
            cosines[i, c] = logits[i, c] = cosine
            if c == labels[i] and math.acos(cosine) <= math.pi - MARGIN:
                logits[i, c] = math.cos(math.acos(cosine) + MARGIN)
    return logits * SCALE, cosines


def test_equals_the_plain_twin():
    torch.manual_seed(0)
    classifier = ArcFace(6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    descriptors[0] = -classifier.weight[labels[0]].detach() + 0.01  # an angle past pi - margin
    logits, cosines = classifier(descriptors, labels)
    expected = twin(descriptors.numpy(), classifier.weight.detach().numpy(), labels.numpy())
    np.testing.assert_allclose(logits.detach(), expected[0], atol=1e-4)
    np.testing.assert_allclose(cosines.detach(), expected[1], atol=1e-6)


def test_a_cosine_beyond_one_gives_numbers():
    cosines = torch.tensor([[1.0000001], [-1.0000001]], requires_grad=True)
    moved = ArcFace(2, 2, MARGIN, SCALE).with_margin(cosines)
    moved.sum().backward()
    np.testing.assert_allclose(moved.detach()[:, 0], [math.cos(MARGIN), -1], atol=1e-3)
    assert torch.isfinite(cosines.grad).all()
