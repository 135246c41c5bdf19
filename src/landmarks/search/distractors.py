"""Distractors: descriptors of images that show no query's landmark, read shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from landmarks.errors import UserError
from landmarks.ops.rows import BLOCK
from landmarks.ops.vectors import ensemble
from landmarks.store.artefact import fingerprint_of_file, read_manifest
from landmarks.store.descriptors import check_descriptors
from landmarks.store.files import read_array
from landmarks.store.tables import read_ids


class Distractors:
    """The index images of another run; without models, a folder of .npy shards and, optionally, ids.csv.

    folder   the run, or the folder of shards
    weights  model -> weight in the ensemble
    Raises UserError where they are missing, and where a shard is not (images, dimensions) of floating point.
    """

    def __init__(self, folder: Path, weights: Mapping[str, float]):
        self.folder, self._weights = folder, weights
        self._folders = [folder / "descriptors" / model / "index" for model in weights] or [folder]

    def refuse_other_descriptions(self, run_folder: Path) -> None:
        """Raise UserError where the index of that run was described by other weights, or at other sizes."""
        for model in self._weights:
            own, theirs = run_folder / "descriptors" / model / "index", self.folder / "descriptors" / model / "index"
            own_settings, settings = (read_manifest(one)["settings"] for one in (own, theirs))
            keys = ("longest_side", "scales", "gem_power")
            different = [
                f"{key} {settings.get(key)} and not {own_settings.get(key)}" for key in keys if own_settings.get(key) != settings.get(key)
            ]
            weights = [run / "models" / model / "model.safetensors" for run in (run_folder, self.folder)]
            if all(path.is_file() for path in weights) and len({fingerprint_of_file(path) for path in weights}) > 1:
                different.append("other weights")
            if different:
                raise UserError(
                    f"the distractors were described otherwise than the index: {', '.join(different)}",
                    where=theirs,
                    next=f"the same extract settings in both runs, and models.{model}.checkpoint naming the same model",
                )

    @property
    def described(self) -> list[Path]:
        """The folders of descriptors of another run; none where they are given as arrays."""
        return self._folders if self._weights else []

    @property
    def fingerprints(self) -> dict[str, str]:
        if self._weights:
            return {f"distractors {folder.parent.name}": read_manifest(folder)["fingerprint"] for folder in self._folders}
        return {f"distractors {path.name}": fingerprint_of_file(path) for path in self._paths(self._folders[0])}

    @cached_property
    def ids(self) -> np.ndarray:
        """(n,) strings; without ids.csv the row numbers: distractor-0, distractor-1, ..."""
        first, *others = self._folders
        count = sum(len(shard) for shard in self._shards[0])
        ids = read_ids(first / "ids.csv") if (first / "ids.csv").is_file() else np.array([f"distractor-{n}" for n in range(count)], object)
        if len(ids) != count:
            raise UserError(f"{count} descriptors for {len(ids)} ids", where=first, next="extract the distractors again")
        for folder in others:
            if not np.array_equal(read_ids(folder / "ids.csv"), ids):
                raise UserError("the ids differ from those of the first model", where=folder, next="extract them again with all models")
        return ids

    @property
    def dimensions(self) -> int:
        return sum(shards[0].shape[1] for shards in self._shards)

    def blocks(self) -> Iterator[np.ndarray]:
        """The descriptors of all models as one vector per image, in the order of `ids`: blocks (at most 65536, dimensions) float32.

        Raises UserError for one that is zero or not finite.
        """
        for start in range(0, len(self.ids), BLOCK):
            parts = [_rows(shards, start, min(start + BLOCK, len(self.ids))) for shards in self._shards]
            for folder, part in zip(self._folders, parts, strict=True):
                check_descriptors(self.ids[start : start + BLOCK], part, folder)
            yield ensemble(parts, list(self._weights.values()) or [1.0])

    @cached_property
    def _shards(self) -> list[list[np.ndarray]]:
        """The shards of each model, memory-mapped."""
        found = []
        for folder in self._folders:
            shards = [read_array(path, mapped=True) for path in self._paths(folder)]
            shapes = {shard.shape[1:] for shard in shards}
            if len(shapes) != 1 or len(next(iter(shapes))) != 1:
                raise UserError(
                    f"shards should be (images, dimensions) of the same dimensions, not {sorted(shard.shape for shard in shards)[:4]}",
                    where=folder,
                    next="write them again with numpy.save",
                )
            found.append(shards)
        return found

    def _paths(self, folder: Path) -> list[Path]:
        if self._weights:
            read_manifest(folder)  # refuses a run that is not finished
        paths = sorted(folder.glob("*.npy"))
        if not paths:
            raise UserError(
                "no .npy shards of descriptors",
                where=folder,
                next="dataset.distractors=RUN FOLDER of `extract` with the same models, or a folder of .npy files where no model is named",
            )
        return paths


def _rows(shards: list[np.ndarray], start: int, stop: int) -> np.ndarray:
    """Rows start to stop of the shards as one matrix."""
    parts, first = [], 0
    for shard in shards:
        if first < stop and first + len(shard) > start:
            parts.append(shard[max(0, start - first) : stop - first])
        first += len(shard)
    return np.concatenate(parts)
