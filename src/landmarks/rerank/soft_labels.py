"""Soft labels: an image's vote for the query's label is added to its similarity, a vote for another is taken off."""

from __future__ import annotations

from dataclasses import replace

from landmarks.config import SoftLabelsSettings
from landmarks.ops.soft_labels import soft_labels as order_by_votes
from landmarks.ranking import Ranking
from landmarks.rerank.context import Context


def soft_labels(ranking: Ranking, context: Context, settings: SoftLabelsSettings) -> Ranking:
    votes = context.votes(ranking, settings.neighbours)
    indices, scores = order_by_votes(*context.nearest_first(ranking), *votes, settings.reward, settings.penalty)
    return replace(ranking, indices=indices, scores=scores)
