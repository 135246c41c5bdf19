"""Training images that could not be read: listed when they are met, so that none is left out silently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from landmarks.progress import say
from landmarks.reading import read_bytes, refuse_irregular
from landmarks.store.artefact import MANIFEST
from landmarks.store.manifest import read_manifest_file
from landmarks.store.tables import read_train

SKIPPED = "skipped.jsonl"
_SHOWN = 5  # images that are named on the screen


class SkippedImages:
    """Those that this process has met, each once; every process adds lines to the same file, {"id": ..., "why": ...}.

    name  of the model, for messages
    ids   (n,) strings of the training set's rows
    """

    def __init__(self, name: str, folder: Path, ids: np.ndarray):
        self._name, self._path, self._ids = name, folder / SKIPPED, ids
        self._met: set[int] = set()
        if self._path.is_file() and not read_bytes(self._path).endswith(b"\n"):  # a line that was cut off takes the next with it
            with open(self._path, "a", encoding="utf-8") as file:
                file.write("\n")

    def add(self, skipped: dict[int, str]) -> None:
        """Take note of rows and why each cannot be read."""
        for row, why in skipped.items():
            if row in self._met:
                continue
            self._met.add(row)
            id = str(self._ids[row])
            refuse_irregular(self._path)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"id": id, "why": why}) + "\n")
            if len(self._met) <= _SHOWN:
                say(f"train {self._name}: skipped '{id}': {why}; another image stands in its place")
            if len(self._met) == _SHOWN:
                say(f"train {self._name}: more of them are listed in {self._path}")


def read_skipped(folder: Path) -> dict[str, str]:
    """id -> why, of all that were skipped so far; a line that was cut off is left out."""
    path = folder / SKIPPED
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in read_bytes(path).split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
            found[str(entry["id"])] = str(entry["why"])
        except (ValueError, KeyError, TypeError):
            continue
    return dict(sorted(found.items()))


def skipped_facts(skipped: dict[str, str], path: Path) -> dict[str, Any]:
    """What the manifest of a finished model says of the images that it skipped, and of the table `path` without them."""
    return {"skipped": skipped, "table_without_skipped": _digest_without(path, skipped)} if skipped else {}


def table_with_skipped(path: Path, folder: Path) -> str | None:
    """The digest of the table that the finished model in `folder` was trained with, where `path` is that table but for rows of images
    that it skipped, which have been removed since; else None.
    """
    manifest = read_manifest_file(folder / MANIFEST, complete=True) or {}
    if "table_without_skipped" not in manifest or not path.is_file():
        return None
    same = _digest_without(path, manifest.get("skipped", {})) == manifest["table_without_skipped"]
    return manifest["inputs"].get(path.name) if same else None


def _digest_without(path: Path, skipped: Collection[str]) -> str:
    table, digest = read_train(path), hashlib.blake2b(digest_size=16)
    for id, landmark in zip(table.ids, table.landmark_ids, strict=True):
        if id not in skipped:
            digest.update(f"{id},{landmark}\n".encode())
    return digest.hexdigest()
