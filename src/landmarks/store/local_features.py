"""Local features on disk: parts of flat arrays; describing more images adds parts; read image by image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.store.artefact import read_manifest
from landmarks.store.csv_files import write_csv
from landmarks.store.files import write_array, write_json
from landmarks.store.json_files import read_texts
from landmarks.store.local_parts import PartArrays, beside, open_part, read_offsets
from landmarks.store.tables import read_ids

_ARRAYS = ("descriptors", "keypoints", "factors", "offsets")  # offsets are written last: they mark the part as complete


def local_model(models: Mapping[str, ModelSettings], wanted: str | None) -> str:
    """The name of the model whose local features are matched: `wanted` (verification.model), or the only one with a local branch.

    Raises UserError where no model has a local branch, where `wanted` has none, and where several have one and none is wanted.
    """
    candidates = [name for name, model in models.items() if model.local is not None]
    chosen = wanted or (candidates[0] if len(candidates) == 1 else None)
    if chosen is not None and chosen in candidates:
        return chosen
    if not candidates:
        raise UserError("no model has a local branch", where="models", next="models.NAME.local={}, and train it")
    raise UserError(
        f"the models {', '.join(candidates)} have local features" + (f", '{chosen}' has none" if chosen else ""),
        where="verification.model",
        next=f"verification.model={candidates[0]}",
    )


def local_folder(run_folder: Path, model: str, split: str) -> Path:
    """The folder of one split's local features by one model."""
    return run_folder / "local" / model / split


def part_path(folder: Path, shard: int, ids: np.ndarray) -> Path:
    """The last file of the part that holds these ids of the shard; another list of ids has another file name."""
    return folder / f"{shard:05d}-{hashlib.blake2b(' '.join(ids).encode(), digest_size=4).hexdigest()}.offsets.npy"


def write_part(path: Path, ids: np.ndarray, features: LocalFeatures, skipped: dict[str, str]) -> None:
    """Write the features of `ids` (n,), image by image; `skipped` says which images have none here, and why.

    path  from `part_path`
    """
    if skipped:
        write_json(beside(path, "skipped.json"), skipped)
    else:
        beside(path, "skipped.json").unlink(missing_ok=True)
    write_csv(beside(path, "ids.csv"), pd.DataFrame({"id": ids}))
    for name in _ARRAYS:
        array = getattr(features, name)
        if array is not None:
            write_array(beside(path, f"{name}.npy"), array)


def has_skipped(path: Path) -> bool:
    """Whether images of the part were left out."""
    return beside(path, "skipped.json").exists()


def max_bytes_per_image(max_features: int, dimensions: int, storage: str) -> int:
    """The most bytes that an image's features take on disk; storage: "float16" or "int8"."""
    return max_features * (dimensions * np.dtype(storage).itemsize + 4 * 4 + (4 if storage == "int8" else 0)) + 32


class LocalStore:
    """The local features of one split by one model, as far as they exist; the arrays are mapped, and read on demand.

    Each part is five files: ids.csv, descriptors.npy (m, dimensions) float16 or int8, factors.npy (m,) float32 beside int8,
    keypoints.npy (m, 4) float32 x, y, scale, attention in original pixels, offsets.npy (n + 1,) int64: image i of the part
    has rows offsets[i]:offsets[i + 1].
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._parts = sorted(self.folder.glob("*.offsets.npy"))
        self._opened: dict[int, PartArrays] = {}

    @property
    def fingerprint(self) -> str:
        """The fingerprint in the folder's manifest. Raises UserError where no stage has finished here."""
        return read_manifest(self.folder)["fingerprint"]

    @cached_property
    def _ids_of_parts(self) -> list[np.ndarray]:
        return [read_ids(beside(path, "ids.csv")) for path in self._parts]

    @cached_property
    def ids(self) -> np.ndarray:
        """(n,) strings: the described images, including those without any feature."""
        return np.concatenate([np.empty(0, object), *self._ids_of_parts])

    @cached_property
    def _places(self) -> np.ndarray:
        """(n, 3) int64 for each of `self.ids`: its part, first row, and the row after the last."""
        places = [np.empty((0, 3), np.int64)]
        for number, (path, ids) in enumerate(zip(self._parts, self._ids_of_parts, strict=True)):
            offsets = read_offsets(path, len(ids))
            places.append(np.column_stack([np.full(len(offsets) - 1, number), offsets[:-1], offsets[1:]]))
        return np.concatenate(places)

    @cached_property
    def skipped(self) -> dict[str, str]:
        """Images that could not be read -> the reason."""
        lists = (beside(path, "skipped.json") for path in self._parts if has_skipped(path))
        again = f"delete {self.folder}, then {next_command('extract')}"
        return {id: reason for path in lists for id, reason in read_texts(path, "a list of skipped images", next=again).items()}

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """The position of each of `ids` in `self.ids`: (n,) int64, -1 = not described."""
        return self._lookup.get_indexer(pd.Index(ids, dtype=object))

    def counts(self) -> np.ndarray:
        """(n,) int64 features of each of `self.ids`."""
        return self._places[:, 2] - self._places[:, 1]

    def require(self, ids: np.ndarray) -> np.ndarray:
        """As `rows`; raises UserError where one of `ids` is not described."""
        rows = self.rows(ids)
        if (rows < 0).any():
            raise UserError(
                f"{(rows < 0).sum()} of {len(ids)} images have no local features, first '{ids[int((rows < 0).argmax())]}'",
                where=self.folder,
                next=next_command("extract", "extract.local.images=all") + "  (extract-local knows what the search found, not later steps)",
            )
        return rows

    def for_ids(self, ids: np.ndarray) -> LocalFeatures:
        """The features of `ids`, in that order. Raises UserError where one of them is not described."""
        return self.take(self.require(ids))

    def take(self, rows: np.ndarray) -> LocalFeatures:
        """The features of the images `self.ids[rows]`, in that order, read from disk."""
        places = self._places[rows]
        offsets = np.concatenate([[0], np.cumsum(places[:, 2] - places[:, 1])]).astype(np.int64)
        descriptors = np.empty((offsets[-1], self._dimensions), self._dtype)
        keypoints = np.empty((offsets[-1], 4), np.float32)
        factors = np.empty(offsets[-1], np.float32) if self._dtype == np.int8 else None
        for (part, first, last), start, end in zip(places.tolist(), offsets[:-1].tolist(), offsets[1:].tolist()):
            arrays = self._open(part)
            descriptors[start:end], keypoints[start:end] = arrays.descriptors[first:last], arrays.keypoints[first:last]
            if factors is not None and arrays.factors is not None:
                factors[start:end] = arrays.factors[first:last]
        return LocalFeatures(descriptors=descriptors, factors=factors, keypoints=keypoints, offsets=offsets)

    @cached_property
    def _lookup(self) -> pd.Index:
        return pd.Index(self.ids, dtype=object)

    @cached_property
    def _dimensions(self) -> int:
        return self._open(0).descriptors.shape[1] if self._parts else 0

    @cached_property
    def _dtype(self) -> np.dtype:
        return self._open(0).descriptors.dtype if self._parts else np.dtype(np.float16)

    def _open(self, part: int) -> PartArrays:
        if part not in self._opened:
            path, places = self._parts[part], self._places[self._places[:, 0] == part]
            arrays = open_part(path, int(places[-1, 2]) if len(places) else 0)
            first = self._open(0) if part else arrays
            if (arrays.descriptors.shape[1], arrays.descriptors.dtype) != (first.descriptors.shape[1], first.descriptors.dtype):
                raise UserError(
                    "the descriptors are not of the kind of those in the first part",
                    where=beside(path, "descriptors.npy"),
                    next=f"delete {self.folder}, then {next_command('extract-local')}",
                )
            self._opened[part] = arrays
        return self._opened[part]
