"""Vectors with a classifier's output: its projection and its label probabilities beside what was searched before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmarks.models.descriptor_head import DescriptorHead, apply_head, create_head, train_head
from landmarks.ops.label_spread import LabelDistributions, class_axes, sketch_labels
from landmarks.ops.vectors import BLOCK, join_rows
from landmarks.ranking import Space
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.classify import Classify


def space_with_classifier(space: Space, context: Context, settings: Classify) -> Space:
    """Train the head on train's descriptors before whitening; the vectors (n, d) of each split with its output joined.

    Returns vectors (n, d + projection + label dimensions) float16, L2-normalised.
    """
    train, device = context.descriptors("train"), "auto" if context.use_gpu else "cpu"
    sizes = settings.hidden, settings.dimensions, context.classes
    head = create_head(train.shape[1], *sizes, settings.margin, settings.scale, device)
    train_head(head, train, context.labels, epochs=settings.epochs, mixup=settings.mixup)
    axes = class_axes(context.classes, settings.label_dimensions)
    return Space.from_splits({split: _joined(space.vectors(split), context.descriptors(split), head, axes, settings) for split in SPLITS})


def _joined(vectors: np.ndarray, descriptors: np.ndarray, head: DescriptorHead, axes: np.ndarray, settings: Classify) -> np.ndarray:
    result = np.empty((len(vectors), vectors.shape[1] + settings.dimensions + axes.shape[1]), np.float16)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        projection, labels, probabilities = apply_head(head, descriptors[part], settings.kept)
        sketch = sketch_labels(LabelDistributions(labels, np.sqrt(probabilities)), axes)
        weighted = np.float32(settings.projection_weight) ** 0.5 * projection, np.float32(settings.label_weight) ** 0.5 * sketch
        join_rows([vectors[part], *weighted], result[part])
    return result
