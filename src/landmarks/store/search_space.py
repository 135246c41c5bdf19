"""The space that is searched: every model's descriptors as one vector an image, whitened."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.vectors import Whitening, ensemble, learn_whitening
from landmarks.store.artefact import fingerprint_of_file, read_manifest
from landmarks.store.descriptors import Descriptors, read_descriptors, read_user_descriptors
from landmarks.store.tables import Tables


def space_settings(config: Config) -> dict[str, Any]:
    """What shapes the space, for fingerprints."""
    return {"weights": {name: model.weight for name, model in config.models.items()}, "whiten": config.whiten.model_dump()}


class SearchSpace:
    """Descriptors of a split as they are searched, read when asked for; without models they are the user's own arrays."""

    def __init__(self, config: Config, tables: Tables):
        self._config, self._tables = config, tables

    def folder(self, model: str, split: str) -> Path:
        return self._config.run.folder / "descriptors" / model / split

    def inputs(self, *splits: str) -> dict[str, str]:
        """The fingerprints of what `splits` are made from; whitening is learned on train, so train is always among them."""
        wanted = dict.fromkeys((*splits, "train")) if self._config.whiten.dimensions else dict.fromkeys(splits)
        if not self._config.models:
            files = [path for split in wanted for path in (self._tables.path(split), self._tables.folder / f"{split}.npy")]
            return {path.name: fingerprint_of_file(path) for path in files}
        return {f"{model}/{split}": self._made(model, split) for model in self._config.models for split in wanted}

    def _made(self, model: str, split: str) -> str:
        """The fingerprint of a model's descriptors, another one for each set of pictures that were skipped."""
        manifest = read_manifest(self.folder(model, split))
        skipped = sorted(manifest.get("skipped", ()))
        return manifest["fingerprint"] + (f" without {' '.join(skipped)}" if skipped else "")

    def descriptors(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised, of those images of the split that have a descriptor in every model."""
        raw = self.unwhitened(split)
        if self._whitening is not None and len(self._whitening.mean) != raw.matrix.shape[1]:
            raise UserError(
                f"the {split} descriptors have {raw.matrix.shape[1]} dimensions, those of train {len(self._whitening.mean)}",
                where=self._tables.folder,
                next="extract all splits with the same model",
            )
        return raw if self._whitening is None else Descriptors(raw.ids, self._whitening(raw.matrix))

    @cached_property
    def _whitening(self) -> Whitening | None:
        dimensions = self._config.whiten.dimensions
        if dimensions == 0:
            return None
        train = self.unwhitened("train").matrix
        if len(train) < 2:
            raise UserError(
                f"whitening is learned on train, which has {len(train)} images", where=self._tables.folder, next="whiten.dimensions=0"
            )
        return learn_whitening(train, dimensions)

    def unwhitened(self, split: str) -> Descriptors:
        """As `descriptors`, before whitening."""
        ids, models = self._tables.ids(split), self._config.models
        if models:
            parts = [read_descriptors(self.folder(model, split)) for model in models]
        else:
            parts = [read_user_descriptors(self._tables.folder, split, ids)]
        for part in parts:  # an image that one model skipped has no ensembled descriptor
            ids = part.of(ids).ids
        weights = [model.weight for model in models.values()] or [1.0]
        return Descriptors(ids, ensemble([part.of(ids).matrix for part in parts], weights))
