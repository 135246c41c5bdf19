import numpy as np
import torch

from landmarks.models.descriptor_head import apply_head, create_head, train_head


def images(seed=0):
    """Sixty images of four classes, two clusters each: not linearly separable."""
    random = np.random.default_rng(seed)
    labels = np.arange(60) % 4
    centres = np.random.default_rng(1).standard_normal((4, 2, 12))
    rows = centres[labels, random.integers(0, 2, 60)] + 0.2 * random.standard_normal((60, 12))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def trained():
    head = create_head(12, 32, 6, 4, margin=0.1, scale=16.0, device="cpu")
    train_head(head, *images(), epochs=60, mixup=0.2)
    return head


def test_it_learns_classes_and_gives_probabilities():
    new, labels = images(seed=5)
    projections, found, probabilities = apply_head(trained(), new, kept=2)
    assert (found[:, 0] == labels).mean() > 0.9
    np.testing.assert_allclose(np.linalg.norm(projections, axis=1), 1, rtol=1e-5)
    assert found.shape == probabilities.shape == (60, 2) and (probabilities[:, 0] >= probabilities[:, 1]).all()
    assert (probabilities.sum(axis=1) <= 1 + 1e-6).all()


def test_the_same_data_give_the_same_head_after_other_random_draws():
    first = trained()
    torch.rand(17)
    second = trained()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_probabilities_are_the_softmax_of_the_scaled_cosines():
    head, rows = trained(), images()[0][:3]
    projections, found, probabilities = apply_head(head, rows, kept=9)
    weight = head.classifier.weight.detach().numpy()
    cosines = projections @ (weight / np.linalg.norm(weight, axis=1, keepdims=True)).T
    wanted = np.exp(16 * cosines) / np.exp(16 * cosines).sum(axis=1, keepdims=True)
    assert found.shape == (3, 4), "no more labels than classes"
    np.testing.assert_allclose(probabilities, np.take_along_axis(wanted, found.astype(int), axis=1), rtol=1e-4)


def test_two_images_are_enough_to_run():
    head = create_head(3, 4, 2, 2, margin=0.1, scale=16.0, device="cpu")
    train_head(head, np.eye(2, 3, dtype=np.float32), np.array([0, 1]), epochs=2, mixup=0)
    assert np.isfinite(apply_head(head, np.eye(2, 3, dtype=np.float32), 1)[0]).all()
