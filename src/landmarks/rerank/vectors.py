"""Vectors that steps make for a new search: projections of the descriptors, and labels beside what was searched before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landmarks.ops.discriminant import learn_discriminant, learn_shrunk_whitening
from landmarks.ops.label_spread import LabelDistributions, joint_neighbours, sketch_labels, spread_labels
from landmarks.ops.rows import BLOCK, Rows
from landmarks.ops.vectors import CACHE_ROWS, Whitening, join_rows
from landmarks.ranking import Space
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.add_classes import AddClasses
    from landmarks.rerank.steps.add_labels import AddLabels


def projected_space(context: Context, projections: Sequence[Whitening]) -> Space:
    """Several projections of the descriptors before whitening side by side, float16, L2-normalised."""
    return Space.from_splits({split: _side_by_side(context, context.descriptors(split), projections) for split in SPLITS})


def train_discriminant(context: Context, dimensions: int, within: float | None = None) -> Whitening:
    """Train's discriminant (ops/discriminant.py), learned once for all that ask for it. Raises ValueError for fewer than two images."""
    key = "projection of the discriminant", dimensions, within
    return context.once(key, lambda: learn_discriminant(context.descriptors("train"), context.labels, dimensions, within))


def discriminant_space(context: Context, dimensions: int, within: float | None = None) -> Space:
    """Train's discriminant beside a whitening (ops/discriminant.py); made once for all steps that ask for it.

    Raises ValueError for fewer than two training images.
    """

    def make() -> Space:
        halves = train_discriminant(context, dimensions, within), learn_shrunk_whitening(context.descriptors("train"))
        return projected_space(context, halves)

    return context.once(("discriminant", dimensions, within), make)


def label_distributions(space: Space, context: Context, settings: AddLabels) -> dict[str, LabelDistributions]:
    """Of every split: train's own labels, and what spreads from them to the index, and from both to the queries."""
    of_index, of_test = (neighbours_of_both(space, context, split, settings) for split in ("index", "test"))
    index = spread_labels(*of_index, context.labels, None, settings.kept)
    for _ in range(settings.rounds - 1):
        index = spread_labels(*of_index, context.labels, index, settings.kept)
    return {"train": labels_of_train(context), "index": index, "test": spread_labels(*of_test, context.labels, index, settings.kept)}


def space_with_labels(space: Space, context: Context, labels: dict[str, LabelDistributions], axes: np.ndarray, weight: float) -> Space:
    """The vectors (n, d) of each split with the label parts joined: (n, d + label dimensions) float16, L2-normalised.

    axes    (classes, label dimensions), as of ops.label_spread.class_axes
    weight  of the labels' inner product beside the similarity
    """
    return Space.from_splits({split: _with_labels(context, space.vectors(split), labels[split], axes, weight) for split in SPLITS})


def labels_of_train(context: Context) -> LabelDistributions:
    """Each training image has its own label."""
    return LabelDistributions(context.labels[:, None].astype(np.int32), np.ones((len(context.labels), 1), np.float32))


def neighbours_of_both(space: Space, context: Context, split: str, settings: AddLabels | AddClasses) -> tuple[np.ndarray, np.ndarray]:
    """The nearest images of the split's, in train and index together, as ops.label_spread.joint_neighbours returns them."""
    train, index = (context.nearest(space, split, among, settings.neighbours) for among in ("train", "index"))
    return joint_neighbours(train, index, settings.neighbours, settings.power)


def _side_by_side(context: Context, descriptors: Rows, projections: Sequence[Whitening]) -> np.ndarray:
    vectors = context.empty(len(descriptors), sum(one.projection.shape[1] for one in projections))
    for start in range(0, len(descriptors), BLOCK):
        part = slice(start, start + BLOCK)
        join_rows([project(descriptors[part]) for project in projections], vectors[part])
    return vectors


def _with_labels(context: Context, vectors: np.ndarray, distributions: LabelDistributions, axes: np.ndarray, weight: float) -> np.ndarray:
    result = context.empty(len(vectors), vectors.shape[1] + axes.shape[1])
    for start in range(0, len(vectors), CACHE_ROWS):  # in float32 the whole of GLDv2's train would take 6 GB, three times
        part = slice(start, start + CACHE_ROWS)
        labels = sketch_labels(LabelDistributions(distributions.labels[part], distributions.shares[part]), axes)
        join_rows([vectors[part], np.float32(weight) ** 0.5 * labels], result[part])
    return result
