"""How known an image is: the odds that it shows a landmark that train knows, learned from training images with and without theirs."""

from __future__ import annotations

import numpy as np

FEWEST = 20  # images on each side, to learn from
_PRIOR_COUNT = 10.0  # images, half of them known, that are counted beside those whose share is estimated
_RIDGE, _STEPS, _TOLERANCE = 1e-3, 50, 1e-10  # of the regression, whose sides may be apart
_MOST = 30.0  # of a log-odds


def learn_log_odds(known: np.ndarray, unknown: np.ndarray) -> tuple[float, float] | None:
    """Slope and offset of log(p(known) / p(unknown)) in a number, as many images of both kinds assumed; None of fewer than FEWEST images.

    known, unknown  (n,) and (m,) floating point: the number of images that show a known landmark, and of images that do not
    A slope below 0 becomes 0: a smaller number never speaks for a known landmark.
    Source: logistic regression by Newton's method, a ridge on the slope.
    """
    if min(len(known), len(unknown)) < FEWEST:
        return None
    numbers = np.concatenate([known, unknown]).astype(np.float64)
    truth = np.arange(len(numbers)) < len(known)
    weights = np.where(truth, 0.5 / len(known), 0.5 / len(unknown))
    mean, spread = weights @ numbers, np.sqrt(weights @ (numbers - weights @ numbers) ** 2)
    if spread <= 1e-6 * np.abs(numbers).max():  # equal numbers, rounded
        return 0.0, 0.0
    rows = np.stack([(numbers - mean) / spread, np.ones(len(numbers))], axis=1)
    solution, ridge = np.zeros(2), np.array([_RIDGE, 0.0])
    for _ in range(_STEPS):
        probability = _probability(rows @ solution)
        gradient = rows.T @ (weights * (probability - truth)) + ridge * solution
        curvature = (rows * (weights * probability * (1 - probability))[:, None]).T @ rows + np.diag(ridge) + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        solution = solution - step
        if np.abs(step).max() < _TOLERANCE:
            break
    if solution[0] <= 0:
        return 0.0, 0.0
    return float(solution[0] / spread), float(solution[1] - solution[0] * mean / spread)


def share_of_known(log_odds: np.ndarray) -> float:
    """The share of known landmarks among images (n,), each with its log-odds at a share of one half; 0.5 of no image.

    Source: expectation maximisation (Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities", 2002).
    """
    share = 0.5
    for _ in range(200):
        known = _probability(log_odds + np.log(share / (1 - share))).sum()
        before, share = share, (known + _PRIOR_COUNT / 2) / (len(log_odds) + _PRIOR_COUNT)
        if abs(share - before) < 1e-6:
            break
    return float(share)


def how_known(log_odds: np.ndarray, share: float) -> np.ndarray:
    """From 0 to 1: sqrt(odds) / (1 + sqrt(odds)), odds = those of a known landmark where `share` of the images show one; (n,) float32.

    The square root (ours, EXPERIMENTS.md): training images tell themselves from others more clearly than those of the index do.
    """
    return _probability(0.5 * (log_odds + np.log(share / (1 - share)))).astype(np.float32)


def _probability(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(log_odds, -_MOST, _MOST)))
