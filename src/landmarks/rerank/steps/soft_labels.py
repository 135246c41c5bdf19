"""Soft labels: an image's vote for the query's label is added to its similarity, a vote for another is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class SoftLabels(Step):
    """Images of the query's label gain their similarity to it, others lose a part of theirs (winning entry of 2021).

    score(q, i) = cos(q, i) + reward * s(i) where l(i) = l(q), else cos(q, i) - penalty * s(i): l and s are the label and the score
    of the vote of the nearest training images (ops/soft_labels.py).
    """

    learns: ClassVar[bool] = True

    neighbours: int = Field(1, ge=1, description="nearest training images that vote for an image's label")
    reward: float = Field(1.0, ge=0, description="times the image's vote is gained where the labels agree")
    penalty: float = Field(0.1, ge=0, description="times the image's vote is lost where they do not")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        from dataclasses import replace

        from landmarks.ops.soft_labels import soft_labels

        votes = context.votes(ranking, self.neighbours)
        indices, scores = soft_labels(*context.nearest_first(ranking), *votes, self.reward, self.penalty)
        return replace(ranking, indices=indices, scores=scores)
