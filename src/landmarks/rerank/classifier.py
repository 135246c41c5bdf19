"""Vectors with a classifier's output: its projection and its label probabilities beside what was searched before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.ops.class_probabilities import class_centres, class_probabilities
from landmarks.ops.kernel_classifier import learn_kernel_classifier
from landmarks.ops.label_spread import LabelDistributions, class_axes, sketch_labels
from landmarks.ops.vectors import CACHE_ROWS, join_rows, whitened_rows
from landmarks.ranking import Space
from landmarks.rerank.vectors import train_discriminant
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.classify import Classify

MOST_CLASSES = 4096  # of the classifier in closed form: of more classes their centres take less memory and time
DIMENSIONS, CENTRES_SCALE = 256, 20.0  # of the discriminant; of cosines to class centres in the softmax (EXPERIMENTS.md)


class Output(NamedTuple):
    """projections (n, p) float32, unit rows; labels (n, kept) int32, the most probable ones; probabilities (n, kept) float32."""

    projections: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


Classifier = Callable[[np.ndarray], Output]  # of descriptors before whitening (n, d)


def trained_head(context: Context, settings: Classify) -> Classifier:
    """The cosine-softmax head of the step classify, trained on train's descriptors before whitening."""
    from landmarks.models.descriptor_head import apply_head, create_head, train_head

    train, device = context.descriptors("train"), "auto" if context.use_gpu else "cpu"
    sizes = settings.hidden, settings.dimensions, context.classes
    head = create_head(train.shape[1], *sizes, settings.margin, settings.scale, device)
    train_head(head, np.asarray(train), context.labels, epochs=settings.epochs, mixup=settings.mixup)
    return lambda descriptors: Output(*apply_head(head, descriptors, settings.kept))


def closed_form_classifier(context: Context, kept: int) -> Classifier:
    """Train's discriminant, and on its projections the kernel classifier; of more than MOST_CLASSES landmarks their centres.

    Several steps of a chain ask for it: it is learned once.
    """
    return context.once(("classifier", kept), lambda: _learned(context, kept))


def _learned(context: Context, kept: int) -> Classifier:
    train = context.descriptors("train")
    project = train_discriminant(context, DIMENSIONS)
    rows, kept = whitened_rows(train, project), min(kept, context.classes)
    if context.classes > MOST_CLASSES:
        centres = class_centres(rows, context.labels, context.classes)

        def by_centres(descriptors: np.ndarray) -> Output:
            projections = project(descriptors)
            return Output(projections, *class_probabilities(projections, centres, CENTRES_SCALE, kept))

        return by_centres
    classifier = learn_kernel_classifier(np.asarray(rows), context.labels, context.classes)

    def by_kernel(descriptors: np.ndarray) -> Output:
        projections = project(descriptors)
        shares = classifier.probabilities(projections)
        labels = np.argsort(-shares, axis=1, kind="stable")[:, :kept]
        return Output(projections, labels.astype(np.int32), np.take_along_axis(shares, labels, axis=1))

    return by_kernel


def space_with_classifier(
    space: Space, context: Context, classifier: Classifier, label_dimensions: int, weights: tuple[float, float]
) -> Space:
    """The vectors (n, d) of each split with the classifier's output joined: (n, d + projection + labels) float16, L2-normalised.

    label_dimensions  of the probabilities' part; more classes than this are sketched
    weights           of the projections' inner product and of that of the square roots of the probabilities, beside the similarity
    """
    axes = class_axes(context.classes, label_dimensions)
    return Space.from_splits({split: _joined(space, context, split, classifier, axes, weights) for split in SPLITS})


def _joined(
    space: Space, context: Context, split: str, classifier: Classifier, axes: np.ndarray, weights: tuple[float, float]
) -> np.ndarray:
    vectors, descriptors = space.vectors(split), context.descriptors(split)
    result = np.empty((len(vectors), 0), np.float16)
    of_projection, of_labels = (np.float32(weight) ** 0.5 for weight in weights)
    for start in range(0, max(1, len(vectors)), CACHE_ROWS):  # the width of no vectors is known, too
        part = slice(start, start + CACHE_ROWS)
        output = classifier(descriptors[part])
        sketch = sketch_labels(LabelDistributions(output.labels, np.sqrt(output.probabilities)), axes)
        if start == 0:
            result = context.empty(len(vectors), vectors.shape[1] + output.projections.shape[1] + axes.shape[1])
        join_rows([vectors[part], of_projection * output.projections, of_labels * sketch], result[part])
    return result
