"""Training pictures at the size that training needs."""

from __future__ import annotations

from pydantic import Field

from landmarks.config.base import Settings, Side


class ShrinkSettings(Settings):
    side: Side | None = Field(None, description="pixels of the longest side that are kept; unset: what the models' crops need")
    quality: int = Field(92, ge=50, le=100, description="of the JPEG files, which keep the full resolution of colours")
    shard_images: int = Field(2048, ge=1, description="images a shard: the unit of resuming and of sharing work")
