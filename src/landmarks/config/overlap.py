"""What counts as the same photo in the training set and in an evaluation set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landmarks.config.base import Settings, UserPath


class OverlapSettings(Settings):
    train: UserPath | None = Field(
        None,
        description="where the training set was extracted: another run.folder of the same models (without models, a folder with train.csv "
        "and train.npy); unset: this run",
    )
    train_table: UserPath | None = Field(
        None, description="its landmarks, train.csv or train_clean.csv; unset: the dataset's own, or train.csv beside train.npy"
    )
    splits: tuple[Literal["test", "index"], ...] = Field(("test", "index"), min_length=1, description="compared with the training set")
    neighbours: int = Field(10, ge=1, description="nearest training images looked at for each image")
    similarity: float = Field(
        0.95, ge=-1, le=1, description="cosine of the descriptors before whitening from which two photos may be the same"
    )
    verify: bool = Field(False, description="only those are the same that local features confirm; missing ones of this run are extracted")
    min_inliers: int = Field(30, ge=1, description="a pair is confirmed from this many inliers on")
    score: bool = Field(True, description="run the chain again without the landmarks that overlap, to see what they are worth")
