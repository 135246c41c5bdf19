"""What is to be described: the images of one split by one model, in shards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import Config, ExtractSettings, LocalExtractSettings, ModelSettings
from landmarks.config.dataset import MAX_PIXELS
from landmarks.extraction.outputs import DescriptorOutput, LocalOutput
from landmarks.search.origins import require_model_of_table
from landmarks.store.artefact import Artefact
from landmarks.store.local_features import local_folder, max_bytes_per_image


@dataclass(frozen=True)
class ExtractionJob:
    """Images of one split to be described by one model; a shard holds settings.shard_images of them, in the order of `ids`.

    model_folder   the trained model
    images_folder  the dataset folder in which the pictures of the splits are
    max_pixels     of a file's picture; a larger one is not read
    anywhere       whether pictures may lie outside the dataset folder
    """

    model_folder: Path
    images_folder: Path
    split: str
    ids: np.ndarray
    settings: ExtractSettings
    descriptors: DescriptorOutput | None = None
    local: LocalOutput | None = None
    max_pixels: int = MAX_PIXELS
    anywhere: bool = False

    @property
    def model(self) -> str:
        return self.model_folder.name

    @property
    def side(self) -> int:
        """Pixels of the longest side at which the pictures are decoded: the largest scale of any output."""
        return decoded_side(self.settings, descriptors=self.descriptors is not None, local=self.local is not None)

    @property
    def outputs(self) -> list[DescriptorOutput | LocalOutput]:
        return [output for output in (self.descriptors, self.local) if output is not None]

    @property
    def name(self) -> str:
        return " and ".join(output.name for output in self.outputs)

    @property
    def shards(self) -> range:
        return range(-(-len(self.ids) // self.settings.shard_images))

    def shard_ids(self, shard: int) -> np.ndarray:
        return self.ids[shard * self.settings.shard_images : (shard + 1) * self.settings.shard_images]

    def is_made(self, output: DescriptorOutput | LocalOutput, shard: int) -> bool:
        """Whether the shard exists; with extract.on_error=stop one without its unreadable pictures does not count."""
        ids = self.shard_ids(shard)
        return not (self.settings.on_error == "stop" and output.has_skipped(shard, ids)) and output.is_made(shard, ids)

    def unmade(self, shard: int) -> list[DescriptorOutput | LocalOutput]:
        return [output for output in self.outputs if not self.is_made(output, shard)]

    def is_complete(self) -> bool:
        return all(output.artefact.is_complete() for output in self.outputs) and not any(map(self.unmade, self.shards))

    def lacking(self, shard: int) -> np.ndarray:
        """The ids of the shard that must be described, in order."""
        ids = self.shard_ids(shard)
        wanted = [output.lacking(ids) for output in self.unmade(shard)]
        return max(wanted, key=len, default=ids[:0])  # descriptors need all of them, local features only the new ones

    def at_scales(self, scales: tuple[float, ...]) -> ExtractionJob:
        """The same job, outputs and all, with descriptors from these scales."""
        return replace(self, settings=self.settings.model_copy(update={"scales": scales}))

    def seal(self, dimensions: int) -> None:
        """Finish the outputs, whose shards all exist. dimensions: of a global descriptor."""
        for output in self.outputs:
            output.seal(self.ids, dimensions)


def descriptors_job(config: Config, model: str, split: str, ids: np.ndarray, table: str, precision: str) -> ExtractionJob:
    """Global descriptors of every image. table: the fingerprint of the split's table."""
    return _job(config, model, split, ids, precision, table=table)


def local_job(config: Config, model: str, split: str, ids: np.ndarray, precision: str) -> ExtractionJob:
    """Local features of those of `ids` that have none yet."""
    return _job(config, model, split, ids, precision, local=True)


def joint_job(config: Config, model: str, split: str, ids: np.ndarray, table: str, precision: str) -> ExtractionJob:
    """Global descriptors and local features of every image, from one pass."""
    return _job(config, model, split, ids, precision, table=table, local=True)


def _job(
    config: Config, model: str, split: str, ids: np.ndarray, precision: str, *, table: str | None = None, local: bool = False
) -> ExtractionJob:
    extract, model_folder = config.extract, config.run.folder / "models" / model
    made_by = require_model_of_table(model_folder, config.tables_folder, config.dataset.train_table)["fingerprint"]
    side = decoded_side(extract, descriptors=table is not None, local=local)
    descriptor_output = local_output = None
    if table is not None:
        settings = extract.model_dump(include={"longest_side", "scales", "shard_images"}) | {"precision": precision}
        if extract.gem_power is not None:
            settings["gem_power"] = extract.gem_power
        if side != decoded_side(extract, descriptors=True, local=False):
            settings["decoded_side"] = side
        artefact = Artefact(config.run.folder / "descriptors" / model / split, "extract", settings, {"model": made_by, "table": table})
        descriptor_output = DescriptorOutput(artefact, f"descriptors/{model}/{split}")
    if local:
        settings = extract.local.model_dump(include={"scales", "max_features", "storage"})
        settings |= {"longest_side": local_longest_side(extract), "decoded_side": side, "precision": precision}
        # The ids are no part of the recipe: later runs add more of them to the same folder.
        artefact = Artefact(local_folder(config.run.folder, model, split), "extract-local", settings, {"model": made_by})
        local_output = LocalOutput(artefact, f"local/{model}/{split}", _local_dimensions(config.models[model]), extract.local.storage)
    return ExtractionJob(
        model_folder,
        config.tables_folder,
        split,
        ids,
        extract,
        descriptor_output,
        local_output,
        max_pixels=config.dataset.max_pixels,
        anywhere=config.dataset.pictures_anywhere,
    )


def new_local_bytes(job: ExtractionJob) -> int:
    """The most that the local features of this job add on disk."""
    if job.local is None:
        return 0
    images = sum(len(job.local.lacking(job.shard_ids(shard))) for shard in job.shards if not job.is_made(job.local, shard))
    return images * max_bytes_per_image(job.settings.local.max_features, job.local.dimensions, job.local.storage)


def local_bytes_per_image(model: ModelSettings, settings: LocalExtractSettings) -> int:
    """The most that the local features of one image take on disk."""
    return max_bytes_per_image(settings.max_features, _local_dimensions(model), settings.storage)


def local_recipe(settings: ExtractSettings) -> dict[str, Any]:
    """The settings that shape local features, for the recipe of what is made from them."""
    return settings.local.model_dump(mode="json", exclude={"images", "splits"}) | {"longest_side": local_longest_side(settings)}


def local_longest_side(settings: ExtractSettings) -> int:
    """Pixels of the longest side at scale 1 of local features."""
    return settings.local.longest_side or settings.longest_side


def _local_dimensions(model: ModelSettings) -> int:
    if model.local is None:
        raise ValueError("this model has no local branch")
    return model.local.dimensions


def decoded_side(settings: ExtractSettings, *, descriptors: bool, local: bool) -> int:
    """Pixels of the longest side at which pictures are decoded: for descriptors, local features, or both."""
    sides = [settings.longest_side * max(settings.scales)] if descriptors else []
    sides += [local_longest_side(settings) * max(settings.local.scales)] if local else []
    return max(32, round(max(sides)))
