"""The outputs of extraction: global descriptors and local features, each in a folder of shards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks.extraction.features import packed
from landmarks.ops.local_features import LocalFeatures
from landmarks.progress import say
from landmarks.store.artefact import MANIFEST, Artefact
from landmarks.store.descriptors import has_skipped, seal_shards, shard_path, write_shard
from landmarks.store.local_features import LocalStore, part_path, write_part
from landmarks.store.local_features import has_skipped as part_has_skipped


class Described(NamedTuple):
    """Pictures of one shard in the order of its ids, without those that could not be read.

    ids          (n,) strings
    descriptors  (n, dimensions) float32, None where they were not asked for
    local        LocalFeatures of each image in stored form, None where they were not asked for
    skipped      id -> why it could not be read
    """

    ids: np.ndarray
    descriptors: np.ndarray | None
    local: list[LocalFeatures] | None
    skipped: dict[str, str]


@dataclass(frozen=True)
class DescriptorOutput:
    """outputs/<run>/descriptors/<model>/<split>: every image of the split."""

    artefact: Artefact
    name: str

    def path(self, shard: int, ids: np.ndarray) -> Path:
        """The file whose existence means that the shard of these ids is written."""
        return shard_path(self.artefact.folder, shard)

    def is_made(self, shard: int, ids: np.ndarray) -> bool:
        return self.path(shard, ids).exists()

    def has_skipped(self, shard: int, ids: np.ndarray) -> bool:
        """Whether pictures of the shard were left out."""
        return has_skipped(self.artefact.folder, shard)

    def lacking(self, ids: np.ndarray) -> np.ndarray:
        """Those of a shard's ids that must be described for it."""
        return ids

    def write(self, shard: int, ids: np.ndarray, described: Described) -> None:
        if described.descriptors is None:
            raise ValueError("described without global descriptors")
        write_shard(self.artefact.folder, shard, described.descriptors, described.skipped)

    def seal(self, ids: np.ndarray, dimensions: int) -> None:
        skipped = seal_shards(self.artefact.folder, ids)
        self.artefact.finish(images=len(ids) - len(skipped), dimensions=dimensions, skipped=skipped)
        say(f"{self.name}: {len(ids) - len(skipped)} descriptors of {dimensions} dimensions")
        _say_skipped(self, skipped)


@dataclass(frozen=True)
class LocalOutput:
    """outputs/<run>/local/<model>/<split>: the images that were asked for so far, each once."""

    artefact: Artefact
    name: str
    dimensions: int
    storage: str

    def path(self, shard: int, ids: np.ndarray) -> Path:
        return part_path(self.artefact.folder, shard, ids)

    def is_made(self, shard: int, ids: np.ndarray) -> bool:
        return self.path(shard, ids).exists() or len(self.lacking(ids)) == 0

    def has_skipped(self, shard: int, ids: np.ndarray) -> bool:
        return part_has_skipped(self.path(shard, ids))

    def lacking(self, ids: np.ndarray) -> np.ndarray:
        return ids[self._before.rows(ids) < 0]

    def write(self, shard: int, ids: np.ndarray, described: Described) -> None:
        if described.local is None:
            raise ValueError("described without local features")
        new = self._before.rows(described.ids) < 0
        features = packed([one for one, is_new in zip(described.local, new, strict=True) if is_new], self.dimensions, self.storage)
        write_part(self.path(shard, ids), described.ids[new], features, described.skipped)

    def seal(self, ids: np.ndarray, dimensions: int) -> None:
        store = LocalStore(self.artefact.folder)
        features = int(store.counts().sum())
        self.artefact.finish(images=len(store.ids), features=features, skipped=store.skipped)
        say(f"{self.name}: {features} features of {len(store.ids)} images")
        _say_skipped(self, store.skipped)

    @cached_property
    def _before(self) -> LocalStore:
        """The features when this process began: no other process adds any of its shards."""
        return LocalStore(self.artefact.folder)


def _say_skipped(output: DescriptorOutput | LocalOutput, skipped: dict[str, str]) -> None:
    if skipped:
        id, reason = next(iter(skipped.items()))
        say(f"{output.name}: {len(skipped)} images skipped, first '{id}': {reason}; all are in {output.artefact.folder / MANIFEST}")
