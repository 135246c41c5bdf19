"""What goes into a notebook's bundle, and how long the notebook may run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from landmarks.config.base import Settings


class BundleSettings(Settings):
    wheels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        ("faiss-cpu>=1.11", "simplejpeg>=1.9"),
        description="packages that the notebook's image lacks, as pip names them; what they need in turn must be there",
    )
    python: str = Field("3.11", pattern=r"^3\.\d+$", description="Python of the notebook's image")
    hours: float = Field(
        9.0, gt=0, description="the notebook's limit; when time runs short verification is dropped, then scales, then index images"
    )
    reserve_minutes: float = Field(30.0, ge=0, description="of these, kept free for installation, search and re-ranking")
