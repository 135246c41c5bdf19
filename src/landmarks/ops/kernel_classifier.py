"""A classifier in closed form: kernel ridge regression on a part of the images, its temperature from leave-one-out scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmarks.ops.vectors import CACHE_ROWS

WIDTH, RIDGE = 2.0, 0.1  # of the kernel and of the regression: chosen on held-out training images (EXPERIMENTS.md)
BASIS = 3072  # images that the kernel is spanned by
TEMPERATURES = (8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0, 64.0)
_CALIBRATED_ON = 1000  # images


@dataclass(frozen=True)
class KernelClassifier:
    """Class probabilities of unit rows x: softmax(temperature * f(x)), f(x) = k(x, basis) @ weights + offset.

    k(x, y) = exp(WIDTH * (cos(x, y) - 1)); basis (m, d) float32, weights (m, classes) float32, offset (classes,) float32
    """

    basis: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    temperature: float

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """(n, d) floating point, of length one -> (n, classes) float32; rows sum to one."""
        result = np.empty((len(rows), len(self.offset)), np.float32)
        for start in range(0, len(rows), CACHE_ROWS):
            part = slice(start, start + CACHE_ROWS)
            result[part] = _softmax(self.temperature * (_kernel(rows[part], self.basis) @ self.weights + self.offset))
        return result


def learn_kernel_classifier(rows: np.ndarray, labels: np.ndarray, classes: int, seed: int = 0) -> KernelClassifier:
    """The classifier of unit rows (n, d) with labels (n,) 0..classes-1, the same each time.

        weights = (K_bn K_nb + RIDGE K_bb)^-1 K_bn (Y - offset)

    with b the basis, at most BASIS of the images, drawn at random, Y one row of 0 and 1 an image, offset its mean.
    With all images in the basis it is kernel ridge regression. Leave-one-out scores are (f - h y) / (1 - h), h the diagonal of the
    hat matrix; the temperature is the one of TEMPERATURES that makes the true labels of up to 1,000 images most probable so.
    Source: subset of regressors (Smola and Bartlett, NIPS 2000); temperature scaling (Guo et al., ICML 2017).
    """
    drawn = np.random.default_rng(seed).permutation(len(rows))
    basis = rows[np.sort(drawn[:BASIS])].astype(np.float32)
    counts = np.bincount(labels, minlength=classes)
    offset = (counts / len(rows)).astype(np.float32)
    gram = RIDGE * _kernel(basis, basis).astype(np.float64)
    targets = np.zeros((len(basis), classes))
    for start in range(0, len(rows), CACHE_ROWS):
        kernel, owners = _kernel(rows[start : start + CACHE_ROWS], basis), labels[start : start + CACHE_ROWS]
        gram += kernel.T @ kernel
        np.add.at(targets.T, owners, kernel)
        targets -= kernel.sum(axis=0, dtype=np.float64)[:, None] * offset
    gram += 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    sample = np.sort(drawn[-_CALIBRATED_ON:])
    kernel = _kernel(rows[sample], basis)
    solved = np.linalg.solve(gram, np.concatenate([targets, kernel.T], axis=1))
    weights, influence = solved[:, :classes], solved[:, classes:]
    hat = (kernel * influence.T).sum(axis=1)[:, None]
    scores = kernel @ weights + offset
    own = np.eye(classes, dtype=np.float32)[labels[sample]] - offset
    left_out = offset + (scores - offset - hat * own) / np.maximum(1 - hat, 0.05)
    likelihoods = [np.log(_softmax(one * left_out)[np.arange(len(sample)), labels[sample]] + 1e-9).mean() for one in TEMPERATURES]
    return KernelClassifier(basis, weights.astype(np.float32), offset, TEMPERATURES[int(np.argmax(likelihoods))])


def _kernel(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return np.exp(np.float32(WIDTH) * (rows.astype(np.float32) @ basis.T - 1))


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
