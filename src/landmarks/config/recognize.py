"""How landmarks are recognised: which training images say what a query shows, and what lowers the confidence in it."""

from __future__ import annotations

from pydantic import Field

from landmarks.config.base import Settings


class RecognizeSettings(Settings):
    """Defaults are the winning entry's of 2019 without its local features (Yokoo et al.)."""

    solution: str | None = Field(None, description="solution file in the dataset folder; unset: the only recognition_solution*.csv, if any")
    neighbours: int = Field(3, ge=1, description="nearest training images that vote for a query's landmark")
    verify: bool = Field(False, description="each of them also gives min(70, inliers) / 70 to its landmark; needs local features")
    cosine_weight: float = Field(0.25, ge=0, description="of the cosine beside the inliers (Cao et al.; Yokoo et al. have 1)")
    frequent: int = Field(30, ge=0, description="landmarks predicted for more queries than this go behind all others; 0 = never")
    non_landmark_ids: tuple[int, ...] = Field(
        (), description="the ids under which train lists images that show no landmark: they never vote"
    )
    non_landmark_neighbours: int = Field(5, ge=1, description="nearest of those images whose mean similarity lowers the confidence")
    non_landmark_weight: float = Field(1.0, ge=0, description="times that mean")
