"""What is downloaded, and from where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from landmarks.config.base import Settings


class DownloadSettings(Settings):
    gldv2: tuple[Literal["train", "index", "test"], ...] = Field(
        (), description="splits of Google Landmarks v2, photos and tables, from its public mirror (no account needed)"
    )
    competitions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], ...] = Field(
        (), description="Kaggle competitions whose files are wanted, such as landmark-retrieval-2021"
    )
    datasets: tuple[Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")], ...] = Field(
        (), description="Kaggle datasets, owner/name, such as a cleaned subset"
    )
    photos: Literal["all", "listed"] = Field(
        "all", description="of the training photos keep all, or those that dataset.train_table lists: train_clean.csv lists two in five"
    )
    parallel: int = Field(4, ge=1, le=64, description="archives that are fetched and unpacked at the same time")
    gldv2_url: str = Field("https://s3.amazonaws.com/google-landmark", pattern=r"^https?://", description="the mirror's address")

    @property
    def wanted(self) -> bool:
        return bool(self.gldv2 or self.competitions or self.datasets)
