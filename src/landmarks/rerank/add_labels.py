"""Add labels: search with what the training labels say of every image as a part of its vector."""

from __future__ import annotations

import numpy as np

from landmarks.config import AddLabelsSettings
from landmarks.ops.label_spread import LabelDistributions, class_axes, joint_neighbours, sketch_labels, spread_labels
from landmarks.ops.vectors import CACHE_ROWS, join_rows
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context


def add_labels(ranking: Ranking, context: Context, settings: AddLabelsSettings) -> Ranking:
    """An image of a landmark that train does not know is surrounded by index images that know nothing: its vector stays as it was."""
    space = context.space(ranking)
    distributions = label_distributions(space, context, settings)
    axes = class_axes(context.classes, settings.dimensions)
    vectors = {split: _joined(space.vectors(split), labels, axes, settings.weight) for split, labels in distributions.items()}
    return context.search(ranking, Space(**vectors))


def label_distributions(space: Space, context: Context, settings: AddLabelsSettings) -> dict[str, LabelDistributions]:
    """Those of every split: train's own labels, and what spreads from them to the index, and from both to the queries."""
    of_index, of_test = _joint(space, context, "index", settings), _joint(space, context, "test", settings)
    index = None
    for _ in range(settings.rounds):
        index = spread_labels(*of_index, context.labels, index, settings.kept)
    own = LabelDistributions(context.labels[:, None].astype(np.int32), np.ones((len(context.labels), 1), np.float32))
    return {"train": own, "index": index, "test": spread_labels(*of_test, context.labels, index, settings.kept)}


def _joint(space: Space, context: Context, split: str, settings: AddLabelsSettings) -> tuple[np.ndarray, np.ndarray]:
    found = [context.nearest(space, split, among, settings.neighbours) for among in ("train", "index")]
    return joint_neighbours(*found, settings.neighbours, settings.power)


def _joined(vectors: np.ndarray, distributions: LabelDistributions, axes: np.ndarray, weight: float) -> np.ndarray:
    """Vectors (n, d) with the label parts behind them, (n, d + label dimensions) float16, L2-normalised."""
    result = np.empty((len(vectors), vectors.shape[1] + axes.shape[1]), np.float16)
    for start in range(0, len(vectors), CACHE_ROWS):  # in float32 the whole of GLDv2's train would take 6 GB, thrice
        part = slice(start, start + CACHE_ROWS)
        labels = sketch_labels(LabelDistributions(distributions.labels[part], distributions.shares[part]), axes)
        join_rows([vectors[part], np.float32(weight) ** 0.5 * labels], result[part])
    return result
