import numpy as np
import pytest

from landmarks.ops import kernel_classifier as module
from landmarks.ops.kernel_classifier import TEMPERATURES, learn_kernel_classifier

CLASSES = 5


def images(count=120, noise=0.5, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    rows = np.random.default_rng(9).standard_normal((CLASSES, 8))[labels] + noise * random.standard_normal((count, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def ridge(rows, labels, others):
    """Kernel ridge regression in float64 with a kernel of its own, as textbooks have it: (K + RIDGE I)^-1 Y."""
    rows, others = rows.astype(np.float64), others.astype(np.float64)

    def kernel(one, other):
        return np.exp(-module.WIDTH / 2 * ((one[:, None] - other[None]) ** 2).sum(axis=2))

    targets = np.eye(CLASSES)[labels]
    mean = targets.mean(axis=0)
    gram = kernel(rows, rows)
    return kernel(others, rows) @ np.linalg.solve(gram + module.RIDGE * np.eye(len(rows)), targets - mean) + mean


def test_with_every_image_in_the_basis_it_is_kernel_ridge_regression():
    (rows, labels), (others, _) = images(), images(40, seed=1)
    made = learn_kernel_classifier(rows, labels, CLASSES)
    expected = softmax(made.temperature * ridge(rows, labels, others))
    np.testing.assert_allclose(made.probabilities(others), expected, atol=2e-3)
    assert made.probabilities(others).dtype == np.float32 and made.probabilities(others[:0]).shape == (0, CLASSES)


def test_the_temperature_is_that_of_images_left_out_one_by_one():
    rows, labels = images(noise=0.9)
    left_out = np.stack([ridge(np.delete(rows, i, axis=0), np.delete(labels, i), rows[i : i + 1])[0] for i in range(len(rows))])
    fits = [np.log(softmax(one * left_out)[np.arange(len(rows)), labels]).mean() for one in TEMPERATURES]
    assert learn_kernel_classifier(rows, labels, CLASSES).temperature == TEMPERATURES[int(np.argmax(fits))]


@pytest.mark.parametrize("block", [7, 4096])
def test_a_part_of_the_images_as_basis_regresses_on_all_of_them(monkeypatch, block):
    monkeypatch.setattr(module, "BASIS", 30)
    monkeypatch.setattr(module, "CACHE_ROWS", block)
    (rows, labels), (others, truth) = images(400, 0.6), images(200, 0.6, seed=1)
    made = learn_kernel_classifier(rows, labels, CLASSES)
    assert made.basis.shape == (30, 8) and made.weights.shape == (30, CLASSES)
    k = np.exp(module.WIDTH * (rows.astype(np.float64) @ made.basis.T.astype(np.float64) - 1))
    kbb = np.exp(module.WIDTH * (made.basis.astype(np.float64) @ made.basis.T - 1))
    targets = np.eye(CLASSES)[labels] - np.bincount(labels) / len(labels)
    scores = np.exp(module.WIDTH * (others.astype(np.float64) @ made.basis.T - 1)) @ np.linalg.lstsq(
        k.T @ k + module.RIDGE * kbb, k.T @ targets, rcond=None
    )[0] + np.bincount(labels) / len(labels)
    np.testing.assert_allclose(made.probabilities(others), softmax(made.temperature * scores), atol=5e-3)
    assert (made.probabilities(others).argmax(axis=1) == truth).mean() > 0.9
