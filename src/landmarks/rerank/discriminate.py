"""Discriminate: search where the training labels say that landmarks lie apart."""

from __future__ import annotations

import numpy as np

from landmarks.config import DiscriminateSettings
from landmarks.errors import UserError
from landmarks.ops.discriminant import learn_discriminant, learn_shrunk_whitening
from landmarks.ops.vectors import BLOCK, join_rows
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.store.tables import SPLITS


def discriminate(ranking: Ranking, context: Context, settings: DiscriminateSettings) -> Ranking:
    """Two halves, each of length one: the projection that tells train's landmarks apart, and a whitening for all others.

    It begins at the descriptors before whitening: what whitening cut off may tell landmarks apart.
    """
    if len(context.labels) < 2:
        raise UserError("the step discriminate learns from train, which has fewer than two images", next="leave it out of the chain")
    train = context.descriptors("train")
    halves = learn_discriminant(train, context.labels, settings.dimensions, settings.within), learn_shrunk_whitening(train)
    return context.search(ranking, Space(**{split: _side_by_side(context.descriptors(split), *halves) for split in SPLITS}))


def _side_by_side(descriptors: np.ndarray, *halves) -> np.ndarray:
    vectors = np.empty((len(descriptors), sum(half.projection.shape[1] for half in halves)), np.float16)
    for start in range(0, len(descriptors), BLOCK):
        part = slice(start, start + BLOCK)
        join_rows([half(descriptors[part]) for half in halves], vectors[part])
    return vectors
