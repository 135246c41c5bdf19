"""One part of the local features on disk, read and checked: its arrays must fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks.command import next_command
from landmarks.errors import UserError
from landmarks.store.npy import load_npy


class PartArrays(NamedTuple):
    """The mapped arrays of a part: descriptors (m, d) float16 or int8, keypoints (m, 4), and factors (m,) beside int8."""

    descriptors: np.ndarray
    keypoints: np.ndarray
    factors: np.ndarray | None


def beside(path: Path, name: str) -> Path:
    """Another file of the part whose offsets are at `path`."""
    return path.with_name(path.name.removesuffix("offsets.npy") + name)


def read_offsets(path: Path, images: int) -> np.ndarray:
    """(images + 1,) int64, from 0 upwards. Raises UserError for anything else."""
    offsets = _mapped(path)
    if offsets.shape != (images + 1,) or not np.issubdtype(offsets.dtype, np.integer):
        raise _refusal(f"offsets {offsets.shape} of {offsets.dtype} for {images} images", path)
    offsets = np.array(offsets, np.int64)
    if offsets[0] != 0 or (offsets[1:] < offsets[:-1]).any():
        raise _refusal("offsets that do not begin at 0 and rise", path)
    return offsets


def open_part(path: Path, features: int) -> PartArrays:
    """The arrays of the part whose offsets are at `path` and end at `features`. Raises UserError where they do not fit."""
    descriptors, keypoints = (_mapped(beside(path, f"{name}.npy")) for name in ("descriptors", "keypoints"))
    quantised = descriptors.dtype == np.int8
    factors = _mapped(beside(path, "factors.npy")) if quantised else None
    if descriptors.ndim != 2 or not (quantised or np.issubdtype(descriptors.dtype, np.floating)):
        raise _refusal(f"descriptors {descriptors.shape} of {descriptors.dtype}", beside(path, "descriptors.npy"))
    if keypoints.shape != (len(descriptors), 4) or not np.issubdtype(keypoints.dtype, np.floating):
        what = f"keypoints {keypoints.shape} of {keypoints.dtype} for {len(descriptors)} descriptors"
        raise _refusal(what, beside(path, "keypoints.npy"))
    if factors is not None and (factors.shape != (len(descriptors),) or not np.issubdtype(factors.dtype, np.floating)):
        what = f"factors {factors.shape} of {factors.dtype} for {len(descriptors)} descriptors"
        raise _refusal(what, beside(path, "factors.npy"))
    if features != len(descriptors):
        raise _refusal(f"offsets that end at {features}, and {len(descriptors)} descriptors", path)
    return PartArrays(descriptors, keypoints, factors)


def _mapped(path: Path) -> np.ndarray:
    try:
        return load_npy(path, mapped=True)
    except FileNotFoundError:
        raise _refusal("missing file", path) from None
    except ValueError as error:
        raise _refusal(f"not a whole .npy file: {error}", path) from None


def _refusal(what: str, path: Path) -> UserError:
    return UserError(f"local features are damaged: {what}", where=path, next=f"delete {path.parent}, then {next_command('extract-local')}")
