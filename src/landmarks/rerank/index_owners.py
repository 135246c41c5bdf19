"""Which index images show a landmark of train, and how many a landmark has, without a look at the solution file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.ops.class_probabilities import class_centres, class_probabilities
from landmarks.ops.vectors import CACHE_ROWS, whitened_rows
from landmarks.rerank.vectors import train_discriminant

if TYPE_CHECKING:
    from landmarks.rerank.context import Context

CERTAIN = 0.5  # an index image is taken for one of a landmark whose label is this probable
DIMENSIONS, SCALE = 256, 16.0  # of the discriminant and of its cosines in the softmax: those of the steps discriminate and classify
_BEHIND = 1.2  # times as many images of other landmarks are certain as training images without their own (EXPERIMENTS.md: 1.0 to 1.35)
_SAMPLE = 5000  # training images that the shares of certain ones are estimated from


class IndexDepth(NamedTuple):
    """Of a landmark of train on average. images: index images that surely show it; alike: that seem to show it."""

    images: float
    alike: float


def owners_of_index(context: Context) -> np.ndarray:
    """The label that each index image certainly has, (n_index,) int64, -1 = none.

    By the class centres of train's discriminant (ops/class_probabilities.py); found once for all that ask for them.
    Raises ValueError for fewer than two training images.
    """
    return context.once("owners of the index", lambda: _owners_of_index(context))


def index_depth(context: Context) -> IndexDepth:
    """How many index images a landmark of train has, estimated.

    With more landmarks, or descriptors that tell less, fewer images are certain; and images of landmarks that train does not know are
    certain of others. Training images tell both: of a sample the share t is certain as it is, and the share f where the centre of its
    own landmark is left out. c being the share of certain index images, (c - f) / (t - f) of them show a landmark of train (Rogan and
    Gladen, "Estimating prevalence from the results of a screening test", American Journal of Epidemiology, 1978), and c / t seem to.
    f is taken two standard errors over the landmarks higher, as a few landmarks tell little about others, and then a fifth: the
    discriminant was learned to keep landmarks of train apart.
    Raises ValueError for fewer than two landmarks.
    """
    if context.classes < 2:
        raise ValueError(f"other landmarks' images are told by two landmarks or more, not {context.classes}")
    owners, sample = owners_of_index(context), np.sort(np.random.default_rng(0).permutation(len(context.labels))[:_SAMPLE])
    own = context.labels[sample]
    labels, probabilities = _most_probable(context, context.descriptors("train")[sample], 2)
    with_own, wrong = float((probabilities[:, 0] >= CERTAIN).mean()), _without_own(labels, probabilities, own) >= CERTAIN
    images = np.bincount(own, minlength=context.classes)
    of_each = (np.bincount(own, wrong, context.classes) / np.maximum(images, 1))[images > 0]
    without_own = _BEHIND * float(wrong.mean() + 2 * of_each.std() / len(of_each) ** 0.5)
    certain = float((owners >= 0).mean()) if len(owners) else 0.0
    shown = (certain - without_own) / (with_own - without_own) if with_own > without_own else 0.0
    a_landmark = len(owners) / context.classes
    return IndexDepth(min(1.0, max(0.0, shown)) * a_landmark, certain / (with_own or 1.0) * a_landmark)


def _owners_of_index(context: Context) -> np.ndarray:
    index, owners = context.descriptors("index"), [np.empty(0, np.int64)]
    for start in range(0, len(index), CACHE_ROWS):
        labels, probabilities = _most_probable(context, index[start : start + CACHE_ROWS], 1)
        owners.append(np.where(probabilities[:, 0] >= CERTAIN, labels[:, 0], -1))
    return np.concatenate(owners)


def _most_probable(context: Context, descriptors: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities (n, kept) of rows (n, d) by the nearest class centres, as of ops.class_probabilities."""
    project = train_discriminant(context, DIMENSIONS)

    def centres_of_train() -> np.ndarray:
        return class_centres(whitened_rows(context.descriptors("train"), project), context.labels, context.classes)

    centres = context.once("centres of the landmarks", centres_of_train)
    return class_probabilities(project(descriptors), centres, SCALE, kept)


def _without_own(labels: np.ndarray, probabilities: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The largest probability of each row (n,) if its own label were no class, from the two most probable labels (n, 2).

    An own label that is not among these counts as improbable.
    """
    first, second = probabilities.T
    is_first, is_second = labels.T == own
    largest, others = np.where(is_first, second, first), 1 - np.where(is_first, first, np.where(is_second, second, 0))
    return largest / np.maximum(np.maximum(others, largest), np.finfo(np.float32).tiny)
