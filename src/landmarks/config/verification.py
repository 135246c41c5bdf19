"""How two photos' local features are matched, and which training images that lets stay."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from landmarks.config.base import ModelName, Settings


class VerificationSettings(Settings):
    """How two images' local features are matched; the same for every step and stage that verifies."""

    model: ModelName | None = Field(None, description="the model whose local features are matched; unset: the only one that has them")
    max_distance: float = Field(1.0, gt=0, le=2, description="L2 between matching descriptors, at most")
    ratio: float = Field(1.0, gt=0, le=1, description="distance to the nearest / to the second nearest descriptor, at most; 1 = off")
    transform: Literal["affine", "similarity", "homography"] = Field("affine", description="what maps one photo to the other")
    residual: float = Field(20.0, gt=0, description="pixels between a place and where the transform puts its match, at most")
    trials: int = Field(1000, ge=1, description="random samples of RANSAC")
    min_matches: int = Field(4, ge=1, description="a pair with fewer matches has no inliers")
    cpu_share: float = Field(
        0.0, ge=0, lt=1, description="share of the queries whose pairs the cores verify while the GPUs verify the others"
    )

    def recipe(self) -> dict[str, Any]:
        """What shapes the inliers, for fingerprints; the names are those of version 0.1, so that pairs verified then are kept."""
        settings = self.model_dump(mode="json", exclude={"min_matches", "cpu_share"})
        return settings | {"least_matches": self.min_matches, "most_zoom": 8.0, "most_anisotropy": 4.0}


class CleanSettings(Settings):
    """Which training images stay (Yokoo et al., CVPRW 2020)."""

    neighbours: int = Field(1000, ge=1, description="nearest training images looked at for each training image")
    pairs: int = Field(100, ge=1, description="of those, images of the same label that are verified against it, at most")
    min_inliers: int = Field(30, ge=1, description="a pair is verified from this many inliers on")
    min_pairs: int = Field(3, ge=1, description="an image stays with this many verified pairs")
    min_images: int = Field(2, ge=1, description="a label stays with this many images")
