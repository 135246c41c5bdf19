"""Discriminate: search where the training labels say that landmarks lie apart."""

from __future__ import annotations

from landmarks.config import DiscriminateSettings
from landmarks.errors import UserError
from landmarks.ops.discriminant import learn_discriminant
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.store.tables import SPLITS


def discriminate(ranking: Ranking, context: Context, settings: DiscriminateSettings) -> Ranking:
    """It begins at the descriptors before whitening: what whitening cut off may tell landmarks apart."""
    if len(context.labels) < 2:
        raise UserError("the step discriminate learns from train, which has fewer than two images", next="leave it out of the chain")
    train = context.descriptors("train")
    project = learn_discriminant(train, context.labels, settings.dimensions, settings.within)
    return context.search(ranking, Space(**{split: project(context.descriptors(split)) for split in SPLITS}))
