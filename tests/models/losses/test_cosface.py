import numpy as np
import torch

from landmarks.models.losses.cosface import CosFace

MARGIN, SCALE = 0.3, 30.0


def test_equals_the_plain_twin():
    torch.manual_seed(0)
    classifier = CosFace(6, 5, MARGIN, SCALE)
    descriptors, labels = torch.randn(40, 6), torch.randint(0, 5, (40,))
    logits, cosines = classifier(descriptors, labels)
    rows, weight = descriptors.double().numpy(), classifier.weight.detach().double().numpy()
    expected = (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ (weight / np.linalg.norm(weight, axis=1, keepdims=True)).T
    np.testing.assert_allclose(cosines.detach(), expected, atol=1e-6)
    for image, label in enumerate(labels.tolist()):
        expected[image, label] -= MARGIN
    np.testing.assert_allclose(logits.detach(), SCALE * expected, atol=1e-4)
