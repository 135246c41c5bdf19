"""What is to be described: one split by one model, shard by shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from landmarks.config import Config
from landmarks.extraction.outputs import DescriptorOutput, LocalOutput
from landmarks.store.artefact import Artefact, read_manifest
from landmarks.store.local_features import bytes_an_image, local_folder


@dataclass(frozen=True)
class Work:
    """Images of one split to be described by one model; shard s holds the images s * shard_images and on.

    side  pixels of the longest side at which the pictures are decoded: the largest scale of any output
    """

    model: str
    split: str
    ids: np.ndarray
    side: int
    shard_images: int
    on_error: str
    descriptors: DescriptorOutput | None = None
    local: LocalOutput | None = None

    @property
    def outputs(self) -> list[DescriptorOutput | LocalOutput]:
        return [output for output in (self.descriptors, self.local) if output is not None]

    @property
    def name(self) -> str:
        return " and ".join(output.name for output in self.outputs)

    @property
    def shards(self) -> range:
        return range(-(-len(self.ids) // self.shard_images))

    def ids_of(self, shard: int) -> np.ndarray:
        return self.ids[shard * self.shard_images : (shard + 1) * self.shard_images]

    def is_made(self, output: DescriptorOutput | LocalOutput, shard: int) -> bool:
        """Whether the shard is there; one that left pictures out is not good enough for extract.on_error=stop."""
        ids = self.ids_of(shard)
        return not (self.on_error == "stop" and output.has_skipped(shard, ids)) and output.is_made(shard, ids)

    def unmade(self, shard: int) -> list[DescriptorOutput | LocalOutput]:
        return [output for output in self.outputs if not self.is_made(output, shard)]

    def is_complete(self) -> bool:
        return all(output.artefact.is_complete() for output in self.outputs) and not any(map(self.unmade, self.shards))

    def lacking(self, shard: int) -> np.ndarray:
        """The ids of the shard that must be described, in order."""
        ids = self.ids_of(shard)
        wanted = [output.lacking(ids) for output in self.unmade(shard)]
        return max(wanted, key=len, default=ids[:0])  # descriptors want all, local features those that are new


def descriptors_work(config: Config, model: str, split: str, ids: np.ndarray, table: str, precision: str) -> Work:
    """Global descriptors of every image. table: the fingerprint of the split's table."""
    side = _side(config.extract.longest_side, config.extract.scales)
    return _work(config, model, split, ids, side, precision, table=table)


def local_work(config: Config, model: str, split: str, ids: np.ndarray, precision: str) -> Work:
    """Local features of those of `ids` that have none yet."""
    return _work(config, model, split, ids, _local_side(config), precision, local=True)


def joint_work(config: Config, model: str, split: str, ids: np.ndarray, table: str, precision: str) -> Work:
    """Global descriptors and local features of every image, from one pass."""
    side = max(_side(config.extract.longest_side, config.extract.scales), _local_side(config))
    return _work(config, model, split, ids, side, precision, table=table, local=True)


def local_bytes(config: Config, work: Work) -> int:
    """The most that the local features of this work will take on disk beyond what is there."""
    if work.local is None:
        return 0
    images = sum(len(work.local.lacking(work.ids_of(shard))) for shard in work.shards if not work.is_made(work.local, shard))
    return images * bytes_an_image(config.extract.local.max_features, work.local.dimensions, work.local.storage)


def local_recipe(config: Config) -> dict[str, Any]:
    """What shapes local features, wherever they are asked for: for the settings of what is made from them."""
    return config.extract.local.model_dump(mode="json", exclude={"images", "splits"}) | {"longest_side": local_longest_side(config)}


def local_longest_side(config: Config) -> int:
    return config.extract.local.longest_side or config.extract.longest_side


def _work(
    config: Config, model: str, split: str, ids: np.ndarray, side: int, precision: str, table: str | None = None, local: bool = False
) -> Work:
    made_by = read_manifest(config.run.folder / "models" / model)["fingerprint"]
    descriptor_output = local_output = None
    if table is not None:
        settings = config.extract.model_dump(include={"longest_side", "scales", "shard_images"}) | {"precision": precision}
        if side != _side(config.extract.longest_side, config.extract.scales):
            settings["decoded_side"] = side
        artefact = Artefact(config.run.folder / "descriptors" / model / split, "extract", settings, {"model": made_by, "table": table})
        descriptor_output = DescriptorOutput(artefact, f"descriptors/{model}/{split}")
    if local:
        settings = config.extract.local.model_dump(include={"scales", "max_features", "storage"})
        settings |= {"longest_side": local_longest_side(config), "decoded_side": side, "precision": precision}
        # The ids are no part of the recipe: more of them are added to what is there.
        artefact = Artefact(local_folder(config, model, split), "extract-local", settings, {"model": made_by})
        local_output = LocalOutput(artefact, f"local/{model}/{split}", config.models[model].local.dimensions, config.extract.local.storage)
    return Work(model, split, ids, side, config.extract.shard_images, config.extract.on_error, descriptor_output, local_output)


def _local_side(config: Config) -> int:
    return _side(local_longest_side(config), config.extract.local.scales)


def _side(longest_side: int, scales: tuple[float, ...]) -> int:
    return max(32, round(longest_side * max(scales)))
