"""The vectors that are searched: the descriptors of all models as one vector per image, whitened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.config import Config, ModelSettings, WhitenSettings
from landmarks.errors import UserError
from landmarks.ops.vectors import Whitening, ensemble, learn_whitening
from landmarks.search.distractors import Distractors
from landmarks.store.artefact import fingerprint_of_file, read_manifest
from landmarks.store.descriptors import Descriptors, check_descriptors, read_descriptors, read_user_descriptors
from landmarks.store.files import read_array
from landmarks.store.tables import Tables


def space_settings(models: Mapping[str, ModelSettings], whiten: WhitenSettings) -> dict[str, Any]:
    """The settings that shape the vectors, for fingerprints."""
    whitening: dict[str, Any] = {"dimensions": whiten.dimensions}
    if whiten.dimensions and whiten.learned_on != "train":
        whitening["learned_on"] = whiten.learned_on
    return {"weights": {name: model.weight for name, model in models.items()}, "whiten": whitening}


class DescriptorSource:
    """The descriptors of each split, read on request: those of the run's models or, without models, the user's own arrays.

    distractors  the index images of another run, or None
    """

    def __init__(self, config: Config, tables: Tables):
        self._run_folder, self._whiten, self._tables = config.run.folder, config.whiten, tables
        self._weights = {name: model.weight for name, model in config.models.items()}
        # The tables of a benchmark are made in the run folder; the user's arrays lie in the benchmark's own folder.
        made = config.dataset.kind.is_benchmark and tables.folder == config.tables_folder
        self._arrays = config.dataset.folder if made else tables.folder
        others = config.dataset.distractors
        self.distractors = None if others is None else Distractors(others, self._weights)

    def inputs(self, *splits: str) -> dict[str, str]:
        """The fingerprints of what the vectors of `splits` are made from, with what whitening is learned on."""
        learned_on = self._whiten.learned_on if self._whiten.dimensions else None
        wanted = dict.fromkeys((*splits, learned_on) if learned_on in ("train", "index") else splits)
        elsewhere: dict[str, str] = {}
        if learned_on not in (None, "train", "index"):
            elsewhere = {f"whitening {path.parent.name}": _fingerprint(path) for path in self._other_train}
        if self.distractors is not None and "index" in splits:
            elsewhere |= self.distractors.fingerprints
        if self._weights:
            return {f"{model}/{split}": _fingerprint(self._folder(model, split)) for model in self._weights for split in wanted} | elsewhere
        files = [self._tables.path(split) for split in wanted]
        files += [self._arrays / f"{split}.npy" for split in wanted if len(self._tables.ids(split)) or split != "train"]
        return {path.name: fingerprint_of_file(path) for path in files} | elsewhere

    def vectors(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised and whitened, of the images that every model has described; without distractors."""
        raw = self._raw(split)
        if self._whitening is not None and len(self._whitening.mean) != raw.matrix.shape[1]:
            raise UserError(
                f"the {split} descriptors have {raw.matrix.shape[1]} dimensions, those that whitening is learned on "
                f"({self._whiten.learned_on}) {len(self._whitening.mean)}",
                where=self._arrays,
                next="extract all splits with the same model",
            )
        return Descriptors(raw.ids, self.as_searched(raw.matrix))

    def as_searched(self, matrix: np.ndarray) -> np.ndarray:
        """Ensembled descriptors (n, d) as they are searched: whitened where the run whitens, (n, dimensions) float32."""
        return matrix if self._whitening is None else self._whitening(matrix)

    def distractor_vectors(self) -> Iterator[np.ndarray]:
        """As `vectors`, of the distractors in blocks (at most 65536, dimensions) float32; no block where there are none.

        Raises UserError where they were described otherwise than the index.
        """
        if self.distractors is None:
            return
        self.distractors.refuse_other_descriptions(self._run_folder)
        dimensions = self._raw("test").matrix.shape[1]
        if self.distractors.dimensions != dimensions:
            raise UserError(
                f"the distractors have {self.distractors.dimensions} dimensions, the queries {dimensions}",
                where=self.distractors.folder,
                next="extract the distractors with the same models",
            )
        for block in self.distractors.blocks():
            yield self.as_searched(block)

    def unwhitened(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised: the vectors before whitening, in index with those of the distractors."""
        own = self._raw(split)
        if split != "index" or self.distractors is None:
            return own
        return Descriptors(np.append(own.ids, self.distractors.ids), np.concatenate([own.matrix, *self.distractors.blocks()]))

    def _folder(self, model: str, split: str) -> Path:
        return self._run_folder / "descriptors" / model / split

    @property
    def _other_train(self) -> list[Path]:
        """The train descriptors of the run that whitening is learned on: one folder per model, or one array."""
        run = Path(self._whiten.learned_on).expanduser()
        return [run / "descriptors" / model / "train" for model in self._weights] or [run / "train.npy"]

    @cached_property
    def _whitening(self) -> Whitening | None:
        if self._whiten.dimensions == 0:
            return None
        learned_on = self._whiten.learned_on
        learned = self._raw(learned_on).matrix if learned_on in ("train", "index") else self._read_other_train()
        if len(learned) < 2:
            raise UserError(
                f"whitening is learned on {learned_on}, which has {len(learned)} images",
                where=self._tables.folder,
                next="whiten.dimensions=0, whiten.learned_on=index, or whiten.learned_on=RUN FOLDER whose train descriptors are taken",
            )
        return learn_whitening(learned, self._whiten.dimensions)

    def _read_other_train(self) -> np.ndarray:
        if not self._weights:
            array = read_array(self._other_train[0])
            return ensemble([check_descriptors(np.arange(len(array)), array, self._other_train[0])], [1.0])
        parts = [read_descriptors(folder) for folder in self._other_train]
        return self._ensembled(parts[0].ids, parts).matrix

    def _raw(self, split: str) -> Descriptors:
        """The unwhitened vectors of the dataset's own images."""
        ids = self._tables.ids(split)
        if self._weights:
            parts = [read_descriptors(self._folder(model, split)) for model in self._weights]
        elif split == "train" and len(ids) == 0:  # a benchmark has no training images and no array for them
            return Descriptors(ids, self._raw("index").matrix[:0])
        else:
            parts = [read_user_descriptors(self._arrays, split, ids)]
        return self._ensembled(ids, parts)

    def _ensembled(self, ids: np.ndarray, parts: list[Descriptors]) -> Descriptors:
        """One part per model; an image that one model skipped has no ensembled descriptor."""
        for part in parts:
            ids = part.for_ids(ids).ids
        return Descriptors(ids, ensemble([part.for_ids(ids).matrix for part in parts], list(self._weights.values()) or [1.0]))


def _fingerprint(path: Path) -> str:
    """Of an array, or of the descriptors of a model: another one for each set of skipped images."""
    if path.suffix == ".npy":
        return fingerprint_of_file(path)
    manifest = read_manifest(path)
    skipped = sorted(manifest.get("skipped", ()))
    return manifest["fingerprint"] + (f" without {' '.join(skipped)}" if skipped else "")
