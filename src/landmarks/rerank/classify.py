"""Classify: search with a classifier's projection and its label probabilities as parts of the vectors."""

from __future__ import annotations

import numpy as np

from landmarks.config import ClassifySettings
from landmarks.errors import UserError
from landmarks.models.descriptor_head import DescriptorHead, apply_head, create_head, train_head
from landmarks.ops.label_spread import LabelDistributions, class_axes, sketch_labels
from landmarks.ops.vectors import BLOCK, join_rows
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.store.tables import SPLITS


def classify(ranking: Ranking, context: Context, settings: ClassifySettings) -> Ranking:
    """It learns from the descriptors before whitening, and what it says stands behind the vectors as they are so far."""
    if context.classes < 2:
        raise UserError("the step classify tells landmarks apart, and train has fewer than two", next="leave it out of the chain")
    train, space = context.descriptors("train"), context.space(ranking)
    device = "auto" if context.use_gpu else "cpu"
    head = create_head(train.shape[1], settings.hidden, settings.dimensions, context.classes, settings.margin, settings.scale, device)
    train_head(head, train, context.labels, epochs=settings.epochs, mixup=settings.mixup)
    axes = class_axes(context.classes, settings.label_dimensions)
    return context.search(
        ranking, Space(**{split: _joined(space.vectors(split), context.descriptors(split), head, axes, settings) for split in SPLITS})
    )


def _joined(vectors: np.ndarray, descriptors: np.ndarray, head: DescriptorHead, axes: np.ndarray, settings: ClassifySettings) -> np.ndarray:
    """(n, d + projection + label dimensions) float16, L2-normalised."""
    result = np.empty((len(vectors), vectors.shape[1] + settings.dimensions + axes.shape[1]), np.float16)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        projection, labels, probabilities = apply_head(head, descriptors[part], settings.kept)
        sketch = sketch_labels(LabelDistributions(labels, np.sqrt(probabilities)), axes)
        weighted = np.float32(settings.projection_weight) ** 0.5 * projection, np.float32(settings.label_weight) ** 0.5 * sketch
        join_rows([vectors[part], *weighted], result[part])
    return result
