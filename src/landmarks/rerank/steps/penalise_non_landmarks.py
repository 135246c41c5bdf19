"""Penalise non-landmarks: what looks like images without a landmark moves back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from landmarks.config.step import Step

if TYPE_CHECKING:
    from landmarks.ranking import Ranking
    from landmarks.rerank.context import Context


class PenaliseNonLandmarks(Step):
    """Images like those that show no landmark lose (Henkel and Singer, winning entry of the 2020 recognition challenge).

    score(q, i) = cos(q, i) - weight * mean of cos(i, n) over the nearest training images n that show no landmark
    (ops/non_landmark.py).
    """

    learns: ClassVar[bool] = True

    landmark_ids: tuple[int, ...] = Field(min_length=1, description="the ids under which train lists images that show no landmark")
    neighbours: int = Field(5, ge=1, description="nearest of those images")
    weight: float = Field(1.0, gt=0, description="of the mean similarity that is subtracted")

    def apply(self, ranking: Ranking, context: Context) -> Ranking:
        """Raises UserError where train has no image of these landmarks."""
        from dataclasses import replace

        import numpy as np

        from landmarks.errors import UserError
        from landmarks.ops.non_landmark import non_landmark_penalty

        rows = np.flatnonzero(np.isin(context.landmark_ids, self.landmark_ids))
        if len(rows) == 0:
            raise UserError(
                f"train has no image of the landmarks {', '.join(map(str, self.landmark_ids))}",
                where="rerank, step penalise_non_landmarks",
                next="landmark_ids=[...] with ids that the train table holds",
            )
        space = context.space(ranking)
        _, similarities = context.search_vectors(space.index, space.train[rows], self.neighbours, "search index in non-landmarks")
        indices, scores = non_landmark_penalty(*context.nearest_first(ranking), similarities, self.weight)
        return replace(ranking, indices=indices, scores=scores)
