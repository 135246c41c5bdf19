"""What the classifier of a training takes of the memory, known before the training starts."""

from __future__ import annotations

from typing import NamedTuple

from landmarks.quantities import format_bytes

_FLOAT32 = 4  # bytes
STATES = {"sgd": 1, "adamw": 2}  # numbers that an optimizer keeps for each weight


class ClassifierMemory(NamedTuple):
    """Bytes on each device.

    weights    the directions that are trained
    gradients  of the weights
    optimizer  its state: momentum, or AdamW's two moments
    average    of the weights (train.ema), 0 without one
    computed   beside those while a part of a batch is computed, at its highest
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    computed: int

    def in_words(self) -> str:
        weights, gradients, optimizer, average, computed, total = map(format_bytes, (*self, sum(self)))
        kept = f"weights {weights}, gradients {gradients}, optimizer {optimizer}" + (f", average {average}" if self.average else "")
        return f"{total}: {kept}, and {computed}"


def classifier_memory(classes: int, centres: int, dimensions: int, part: int, optimizer: str, averaged: bool = False) -> ClassifierMemory:
    """The memory of a cosine classifier of `classes` x `centres` directions.

    The most is needed either where the loss is, with the directions at length 1, every cosine and four arrays of the size of the logits,
    or where the gradient goes through the division by the length, with four arrays of the size of the weights. Both were counted with
    PyTorch's profiler (tests/training/test_classifier_memory.py).

    part       images that a process computes at a time
    optimizer  sgd or adamw
    averaged   whether an average of the weights is kept
    """
    weights, logits = classes * centres * dimensions * _FLOAT32, part * classes * _FLOAT32
    state = weights * STATES[optimizer]
    return ClassifierMemory(weights, weights, state, weights if averaged else 0, max(weights + (centres + 3) * logits, 4 * weights))
