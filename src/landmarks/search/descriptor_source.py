"""The vectors that are searched: the descriptors of all models as one vector per image, whitened."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.ops.rows import Rows
from landmarks.ops.vectors import Whitening, are_alike, ensembled_rows, learn_whitening, whitened_rows
from landmarks.search.origins import Origins
from landmarks.store.descriptors import Descriptors, check_descriptors, read_descriptors, read_user_descriptors
from landmarks.store.files import read_array
from landmarks.store.tables import Tables


class DescriptorSource:
    """The descriptors of each split, read on request: those of the run's models or, without models, the user's own arrays.

    origins      what they are made from
    distractors  the index images of another run, or None
    """

    def __init__(self, config: Config, tables: Tables):
        self._run_folder, self._whiten, self._tables = config.run.folder, config.whiten, tables
        self._weights = {name: model.weight for name, model in config.models.items()}
        self.origins = Origins(config, tables.folder, tables.train_table)
        self._arrays, self.distractors = self.origins.arrays, self.origins.distractors

    def inputs(self, *splits: str) -> dict[str, str]:
        """The fingerprints of what the vectors of `splits` are made from, with what whitening is learned on.

        Raises UserError for descriptors of another table or model than those in use.
        """
        return self.origins.inputs(*splits)

    def vectors(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised and whitened, of the images that every model has described; without distractors.

        Rows are computed when they are asked for.
        """
        raw = self._raw(split)
        if self._whitening is not None and len(self._whitening.mean) != raw.matrix.shape[1]:
            raise UserError(
                f"the {split} descriptors have {raw.matrix.shape[1]} dimensions, those that whitening is learned on "
                f"({self._whiten.learned_on}) {len(self._whitening.mean)}",
                where=self._arrays,
                next="extract all splits with the same model",
            )
        return Descriptors(raw.ids, self.as_searched(raw.matrix))

    def as_searched(self, matrix: Rows) -> Rows:
        """Ensembled descriptors (n, d) as they are searched: whitened where the run whitens, (n, dimensions) float32."""
        return matrix if self._whitening is None else whitened_rows(matrix, self._whitening)

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
            yield np.asarray(self.as_searched(block))

    def unwhitened(self, split: str) -> Descriptors:
        """(n, dimensions) float32, L2-normalised: the vectors before whitening, in index with those of the distractors.

        Rows are computed when they are asked for, but for an index with distractors, which is made in memory.
        """
        own = self._raw(split)
        if split != "index" or self.distractors is None:
            return own
        return Descriptors(np.append(own.ids, self.distractors.ids), np.concatenate([own.matrix, *self.distractors.blocks()]))

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
        refuse_alike(learned, f"whitening is learned on {learned_on}, whose", self._tables.folder)
        return learn_whitening(learned, self._whiten.dimensions, self._whiten.power)

    def _read_other_train(self) -> Rows:
        if not self._weights:
            array = read_array(self.origins.other_train[0], mapped=True)
            return ensembled_rows([check_descriptors(None, array, self.origins.other_train[0])], [1.0])
        parts = [read_descriptors(folder) for folder in self.origins.other_train]
        return self._ensembled(parts[0].ids, parts).matrix

    def _raw(self, split: str) -> Descriptors:
        """The unwhitened vectors of the dataset's own images."""
        ids = self._tables.ids(split)
        if self._weights:
            parts = [read_descriptors(self.origins.described(model, split)) for model in self._weights]
        elif split == "train" and len(ids) == 0:  # a benchmark has no training images and no array for them
            return Descriptors(ids, self._raw("index").matrix[:0])
        else:
            parts = [read_user_descriptors(self._arrays, split, ids)]
        return self._ensembled(ids, parts)

    def _ensembled(self, ids: np.ndarray, parts: list[Descriptors]) -> Descriptors:
        """One part per model; an image that one model skipped has no ensembled descriptor."""
        for part in parts:
            ids = part.for_ids(ids).ids
        return Descriptors(ids, ensembled_rows([part.for_ids(ids).matrix for part in parts], list(self._weights.values()) or [1.0]))


def refuse_alike(matrix: Rows, whose: str, where: Path) -> None:
    """Raise UserError for vectors (n, d) of length one that are all the same: every list would be in the order of the table."""
    if are_alike(matrix):
        raise UserError(
            f"{whose} descriptors are all alike: a model that has learned nothing, or an array of one row many times",
            where=where,
            next="look at the losses of the training (metrics.jsonl), or write the descriptors again",
        )
