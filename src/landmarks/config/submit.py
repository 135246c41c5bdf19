"""Where a submission is uploaded to, when it is asked for."""

from __future__ import annotations

from pydantic import Field

from landmarks.config.base import Settings


class SubmitSettings(Settings):
    competition: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="Kaggle competition that `submit` offers to upload to, such as landmark-retrieval-2019; `run` never uploads",
    )
    wait_minutes: float = Field(0.0, ge=0, description="wait this long for the score; run again, `submit` looks for it once more")
