"""What counts as the same place, and which part of MSLS is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from landmarks.config.base import Settings


class PlacesSettings(Settings):
    """What counts as the same place, and which part of MSLS is asked for."""

    metres: float = Field(25.0, gt=0, le=100_000_000, description="a picture of the query's place was taken at most this far away")
    degrees: float | None = Field(None, gt=0, le=180, description="and at most this far turned from it; unset: turned in any way")
    skip_without_positives: bool = Field(False, description="queries whose place the index does not have are left out, as MSLS does it")
    cities: tuple[str, ...] = Field(
        ("cph", "sf"), min_length=1, description="msls: cities below train_val/; these two are the validation set"
    )
    subtask: Literal["all", "s2w", "w2s", "o2n", "n2o", "d2n", "n2d"] = Field("all", description="msls: column of subtask_index.csv")
    query_frames: int = Field(1, ge=1, description="consecutive frames that make a query, an odd number; 1 = pictures")
    index_frames: int = Field(1, ge=1, description="consecutive frames that make an index entry, an odd number; 1 = pictures")

    @model_validator(mode="after")
    def _have_a_middle(self):
        if self.query_frames % 2 == 0 or self.index_frames % 2 == 0:
            raise ValueError("a sequence has a frame in its middle: query_frames and index_frames must be odd")
        return self
