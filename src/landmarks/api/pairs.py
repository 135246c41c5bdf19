"""Geometric verification of two photos in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmarks.config import VerificationSettings
from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.vectors import l2_normalise
from landmarks.ops.verification import match_pair, pair_seed


@dataclass(frozen=True)
class Features:
    """Local features of one photo.

    keypoints    (m, 2) x, y in pixels
    descriptors  (m, d) floating point, of any length
    """

    keypoints: np.ndarray
    descriptors: np.ndarray

    def __post_init__(self) -> None:
        points, rows = np.shape(self.keypoints), np.shape(self.descriptors)
        if len(points) != 2 or points[1] < 2 or len(rows) != 2 or points[0] != rows[0]:
            raise UserError(f"keypoints {points} and descriptors {rows} do not fit", next="(m, 2) and (m, d), a row a feature")

    def __repr__(self) -> str:
        return f"Features({len(self.keypoints)} of {np.shape(self.descriptors)[1]} dimensions)"


@dataclass(frozen=True)
class VerifiedPair:
    """What two photos share.

    inliers    how many matches one transform explains
    matches    (p, 2) int64: features of the first and of the second photo that are each other's nearest
    is_inlier  (p,) bool
    transform  (3, 3) float64: homogeneous points of the first photo -> the second, in pixels; zeros where there is none
    """

    inliers: int
    matches: np.ndarray
    is_inlier: np.ndarray
    transform: np.ndarray

    def __repr__(self) -> str:
        return f"VerifiedPair({self.inliers} inliers of {len(self.matches)} matches)"


def verify_pair(
    first: Features,
    second: Features,
    *,
    transform: str = "affine",
    residual: float = 20.0,
    trials: int = 1000,
    max_distance: float = 1.0,
    ratio: float = 1.0,
    min_matches: int = 4,
) -> VerifiedPair:
    """Match the local features of two photos, and count the matches that one transform explains (Cao et al., ECCV 2020).

    transform     "affine", "similarity" or "homography"
    residual      pixels between a point and where the transform puts its match, at most
    trials        random samples of RANSAC; the same pair gives the same result
    max_distance  L2 between matching descriptors of length one, at most
    ratio         distance to the nearest / to the second nearest descriptor, at most; 1 = off
    min_matches   a pair with fewer matches has no inliers

    Raises UserError for descriptors of different dimensions.

    >>> import landmarks as lm
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> points, descriptors = 500 * random.random((50, 2)), random.standard_normal((50, 32))
    >>> lm.verify_pair(lm.Features(points, descriptors), lm.Features(1.2 * points + 30, descriptors))
    VerifiedPair(50 inliers of 50 matches)
    """
    if first.descriptors.shape[1] != second.descriptors.shape[1]:
        raise UserError(
            f"descriptors of {first.descriptors.shape[1]} and of {second.descriptors.shape[1]} dimensions", next="features of one model"
        )
    settings = VerificationSettings.model_validate(
        {
            "transform": transform,
            "residual": residual,
            "trials": trials,
            "max_distance": max_distance,
            "ratio": ratio,
            "min_matches": min_matches,
        }
    )
    match = match_pair(_packed(first), _packed(second), 0, 0, pair_seed("first", "second"), settings)
    return VerifiedPair(int(match.inside.sum()), match.rows.astype(np.int64), match.inside, match.model)


def _packed(features: Features) -> LocalFeatures:
    count = len(features.keypoints)
    keypoints = np.zeros((count, 4), np.float32)
    keypoints[:, :2] = features.keypoints[:, :2]
    return LocalFeatures(
        descriptors=l2_normalise(features.descriptors), factors=None, keypoints=keypoints, offsets=np.array([0, count], np.int64)
    )
