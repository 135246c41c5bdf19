"""The space that is searched: every model's descriptors as one vector an image, whitened."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import BENCHMARKS, Config
from landmarks.errors import UserError
from landmarks.ops.vectors import Whitening, ensemble, learn_whitening
from landmarks.search.distractors import Distractors
from landmarks.store.artefact import fingerprint_of_file, read_manifest
from landmarks.store.descriptors import Descriptors, check_descriptors, read_descriptors, read_user_descriptors
from landmarks.store.files import read_array
from landmarks.store.tables import Tables


def space_settings(config: Config) -> dict[str, Any]:
    """What shapes the space, for fingerprints."""
    whiten = {"dimensions": config.whiten.dimensions}
    if config.whiten.dimensions and config.whiten.learned_on != "train":
        whiten["learned_on"] = config.whiten.learned_on
    return {"weights": {name: model.weight for name, model in config.models.items()}, "whiten": whiten}


class SearchSpace:
    """Descriptors of a split as they are searched, read when asked for; without models they are the user's own arrays."""

    def __init__(self, config: Config, tables: Tables):
        self._config, self._tables = config, tables
        # A benchmark's tables are made in the run folder; the user's arrays lie in the benchmark's own.
        made = config.dataset.source in BENCHMARKS and tables.folder == config.tables_folder
        self._arrays = config.dataset.folder if made else tables.folder

    def folder(self, model: str, split: str) -> Path:
        return self._config.run.folder / "descriptors" / model / split

    def inputs(self, *splits: str) -> dict[str, str]:
        """The fingerprints of what `splits` are made from; what whitening is learned on is always among them."""
        learned_on, elsewhere = self._config.whiten.learned_on if self._config.whiten.dimensions else None, {}
        wanted = dict.fromkeys((*splits, learned_on) if learned_on in ("train", "index") else splits)
        if learned_on not in (None, "train", "index"):
            elsewhere = {f"whitening {path.parent.name}": _made(path) for path in self._other_train}
        if self.distractors is not None and "index" in splits:
            elsewhere |= self.distractors.fingerprints
        if self._config.models:
            return {f"{model}/{split}": _made(self.folder(model, split)) for model in self._config.models for split in wanted} | elsewhere
        files = [self._tables.path(split) for split in wanted]
        files += [self._arrays / f"{split}.npy" for split in wanted if len(self._tables.ids(split)) or split != "train"]
        return {path.name: fingerprint_of_file(path) for path in files} | elsewhere

    @cached_property
    def distractors(self) -> Distractors | None:
        """What is searched beside the index."""
        return None if self._config.dataset.distractors is None else Distractors(self._config)

    @property
    def _other_train(self) -> list[Path]:
        """The train descriptors of the run that whitening is learned on: a folder a model, or one array."""
        run = Path(self._config.whiten.learned_on).expanduser()
        return [run / "descriptors" / model / "train" for model in self._config.models] or [run / "train.npy"]

    def descriptors(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised, of those images of the split that have a descriptor in every model; no distractors."""
        raw = self._own(split)
        if self._whitening is not None and len(self._whitening.mean) != raw.matrix.shape[1]:
            raise UserError(
                f"the {split} descriptors have {raw.matrix.shape[1]} dimensions, those that whitening is learned on "
                f"({self._config.whiten.learned_on}) {len(self._whitening.mean)}",
                where=self._arrays,
                next="extract all splits with the same model",
            )
        return raw if self._whitening is None else Descriptors(raw.ids, self._whitening(raw.matrix))

    @cached_property
    def _whitening(self) -> Whitening | None:
        dimensions = self._config.whiten.dimensions
        if dimensions == 0:
            return None
        learned_on = self._config.whiten.learned_on
        learned = self._own(learned_on).matrix if learned_on in ("train", "index") else self._read_other_train()
        if len(learned) < 2:
            raise UserError(
                f"whitening is learned on {learned_on}, which has {len(learned)} images",
                where=self._tables.folder,
                next="whiten.dimensions=0, whiten.learned_on=index, or whiten.learned_on=RUN FOLDER whose train descriptors are taken",
            )
        return learn_whitening(learned, dimensions)

    def _read_other_train(self) -> np.ndarray:
        if not self._config.models:
            array = read_array(self._other_train[0])
            return ensemble([check_descriptors(np.arange(len(array)), array, self._other_train[0])], [1.0])
        parts = [read_descriptors(folder) for folder in self._other_train]
        return self._ensembled(parts[0].ids, parts).matrix

    def whitened_distractors(self) -> Iterator[np.ndarray]:
        """The distractors' vectors as they are searched, (at most 65536, dimensions) float32. Raises UserError for other dimensions."""
        self.distractors.refuse_other_descriptions(self._config.run.folder)
        own = self._own("test").matrix.shape[1]
        if self.distractors.dimensions != own:
            raise UserError(
                f"the distractors have {self.distractors.dimensions} dimensions, the queries {own}",
                where=self._config.dataset.distractors,
                next="extract the distractors with the same models",
            )
        for block in self.distractors.blocks():
            yield block if self._whitening is None else self._whitening(block)

    def unwhitened(self, split: str) -> Descriptors:
        """(n, dimensions) float32, as everything that is searched was before whitening."""
        own = self._own(split)
        if split != "index" or self.distractors is None:
            return own
        return Descriptors(np.append(own.ids, self.distractors.ids), np.concatenate([own.matrix, *self.distractors.blocks()]))

    def _own(self, split: str) -> Descriptors:
        """Those of the dataset's own images."""
        ids, models = self._tables.ids(split), self._config.models
        if models:
            parts = [read_descriptors(self.folder(model, split)) for model in models]
        elif split == "train" and len(ids) == 0:  # a benchmark has none, and no array of none
            return Descriptors(ids, self._own("index").matrix[:0])
        else:
            parts = [read_user_descriptors(self._arrays, split, ids)]
        return self._ensembled(ids, parts)

    def _ensembled(self, ids: np.ndarray, parts: list[Descriptors]) -> Descriptors:
        """A part a model; an image that one model skipped has no ensembled descriptor."""
        for part in parts:
            ids = part.of(ids).ids
        weights = [model.weight for model in self._config.models.values()] or [1.0]
        return Descriptors(ids, ensemble([part.of(ids).matrix for part in parts], weights))


def _made(path: Path) -> str:
    """The fingerprint of an array, or of a model's descriptors: another one for each set of pictures that were skipped."""
    if path.suffix == ".npy":
        return fingerprint_of_file(path)
    manifest = read_manifest(path)
    skipped = sorted(manifest.get("skipped", ()))
    return manifest["fingerprint"] + (f" without {' '.join(skipped)}" if skipped else "")
