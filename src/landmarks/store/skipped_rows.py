"""A training table of which rows are removed after a model was trained: those of images that it skipped make no other model."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from landmarks.store.artefact import fingerprint_of_file
from landmarks.store.tables import read_train

_KEY = "table_without_skipped"


def skipped_facts(skipped: dict[str, str], path: Path, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What the manifest of a finished model says of the images that it skipped, id -> why, and of the table `path` without them.

    inputs  of the model: a table that was edited while it was trained is not spoken of
    """
    if fingerprint_of_file(path) != inputs[path.name]:
        return {"skipped": skipped}
    return {"skipped": skipped, _KEY: _digest_without(path, skipped)}


def is_same_but_for_skipped(path: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the table `path` is that of the finished model with this manifest, but for rows of images that the model skipped."""
    return _KEY in manifest and path.is_file() and _digest_without(path, manifest.get("skipped", {})) == manifest[_KEY]


def _digest_without(path: Path, skipped: Collection[str]) -> str:
    table, digest = read_train(path), hashlib.blake2b(digest_size=16)
    for id, landmark in zip(table.ids, table.landmark_ids, strict=True):
        if id not in skipped:
            digest.update(f"{id},{landmark}\n".encode())
    return digest.hexdigest()
