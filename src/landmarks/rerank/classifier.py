"""Vectors with a classifier's output: its projection and its label probabilities beside what was searched before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmarks.models.descriptor_head import DescriptorHead, apply_head, create_head, train_head
from landmarks.ops.label_spread import LabelDistributions, class_axes, sketch_labels
from landmarks.ops.rows import BLOCK, Rows
from landmarks.ops.vectors import join_rows
from landmarks.ranking import Space
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.classify import Classify


def space_with_classifier(space: Space, context: Context, settings: Classify, weights: tuple[float, float]) -> Space:
    """Train the head on train's descriptors before whitening; the vectors (n, d) of each split with its output joined.

    weights  of the projections' inner product and of that of the square roots of the probabilities, beside the similarity
    Returns vectors (n, d + projection + label dimensions) float16, L2-normalised.
    """
    train, device = context.descriptors("train"), "auto" if context.use_gpu else "cpu"
    sizes = settings.hidden, settings.dimensions, context.classes
    head = create_head(train.shape[1], *sizes, settings.margin, settings.scale, device)
    train_head(head, np.asarray(train), context.labels, epochs=settings.epochs, mixup=settings.mixup)
    axes = class_axes(context.classes, settings.label_dimensions)
    parts = {split: _joined(space.vectors(split), context.descriptors(split), head, axes, weights, settings.kept) for split in SPLITS}
    return Space.from_splits(parts)


def _joined(
    vectors: np.ndarray, descriptors: Rows, head: DescriptorHead, axes: np.ndarray, weights: tuple[float, float], kept: int
) -> np.ndarray:
    dimensions = head.classifier.weight.shape[1]
    result = np.empty((len(vectors), vectors.shape[1] + dimensions + axes.shape[1]), np.float16)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        projection, labels, probabilities = apply_head(head, descriptors[part], kept)
        sketch = sketch_labels(LabelDistributions(labels, np.sqrt(probabilities)), axes)
        of_projection, of_labels = (np.float32(weight) ** 0.5 for weight in weights)
        join_rows([vectors[part], of_projection * projection, of_labels * sketch], result[part])
    return result
