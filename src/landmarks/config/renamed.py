"""Keys of earlier versions: what each is called now, or why it is no longer a setting."""

from __future__ import annotations

RENAMED = {
    "verification.least_matches": "verification.min_matches",
    "clean.least_inliers": "clean.min_inliers",
    "clean.least_pairs": "clean.min_pairs",
    "clean.least_images": "clean.min_images",
    "overlap.least_inliers": "overlap.min_inliers",
    "verify.least_inliers": "verify.min_inliers",
}
CONSTANT = {
    "verification.most_zoom": "8",
    "verification.most_anisotropy": "4",
    "photos.public_share": "1/3",
    "bundle.platforms": "the manylinux platforms of Kaggle's image",
    "classify.projection_weight": "0.5",
    "classify.label_weight": "0.5",
}


def what_became_of(key: str) -> str | None:
    """The message about a key of an earlier version, None for one that never was. A step's keys are under its name: verify.top."""
    if key in RENAMED:
        return f"{key} is now called {RENAMED[key]}"
    if key in CONSTANT:
        return f"{key} is no longer a setting: it is always {CONSTANT[key]}"
    return None
