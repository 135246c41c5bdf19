"""The folder that a stage makes, with a manifest of settings and inputs by which the stage is skipped or resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from landmarks.command import next_command
from landmarks.errors import UserError
from landmarks.store.files import write_json

MANIFEST, RECIPE = "manifest.json", "recipe.json"
_MAKERS = {
    "models": "train",
    "descriptors": "extract",
    "local": "extract-local",
    "space": "search",
    "clean": "clean",
    "recognition": "recognize",
    "overlap": "overlap",
}
FORMAT = 1  # raised when a stage's output changes for the same settings: older artefacts are then made again


def fingerprint_of_file(path: Path) -> str:
    """The digest of a file's bytes, for inputs that no stage made. Raises UserError for a missing file."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except FileNotFoundError:
        raise UserError("missing file", where=path, next=f"check dataset.folder, or {next_command(maker(path))}") from None


class Artefact:
    """A folder that one stage makes.

    folder    its path; `manifest.json` in it is written last and marks it as complete
    stage     the name of the stage that makes it
    settings  the configuration keys that determine its content (JSON values)
    inputs    name -> fingerprint of each input
    """

    def __init__(self, folder: Path, stage: str, settings: dict[str, Any], inputs: dict[str, str]):
        self.folder, self.stage = Path(folder), stage
        self.recipe = json.loads(json.dumps({"stage": stage, "format": FORMAT, "settings": settings, "inputs": inputs}))
        self.fingerprint = hashlib.blake2b(json.dumps(self.recipe, sort_keys=True).encode(), digest_size=16).hexdigest()
        self._started = time.perf_counter()

    def is_complete(self) -> bool:
        """Whether it is finished and was made by the same recipe."""
        manifest = _read_json(self.folder / MANIFEST)
        return manifest is not None and manifest.get("fingerprint") == self.fingerprint

    def begin(self, *, precious: bool = False, overwrite: bool = False) -> None:
        """Prepare the folder: keep partial work of the same recipe, delete files of another recipe.

        precious: the stage takes long, so files of another recipe are deleted only when `overwrite` allows it.
        Raises UserError for a precious artefact, and for a folder with files that no stage made.
        """
        self._started = time.perf_counter()
        earlier = _read_json(self.folder / RECIPE)
        files = self.folder.is_dir() and any(not path.name.endswith(".part") for path in self.folder.iterdir())
        if (earlier is None and files) or (earlier is not None and earlier["stage"] != self.stage):
            raise UserError(
                f"the folder holds files that {self.stage} did not make",
                where=self.folder,
                next="name another folder; for a dataset that is there already: dataset.source=folder",
            )
        if earlier is not None and earlier != self.recipe:
            if precious and not overwrite:
                raise UserError(
                    f"made with other settings: {_difference(earlier, self.recipe)}",
                    where=self.folder,
                    next="run.folder=ANOTHER to keep both, or run.overwrite=true to make it again",
                )
            _clear(self.folder)
        (self.folder / MANIFEST).unlink(missing_ok=True)
        write_json(self.folder / RECIPE, self.recipe)

    def finish(self, **facts: Any) -> None:
        """Write the manifest: the recipe, library versions, seconds and the given facts (counts and the like)."""
        seconds = round(time.perf_counter() - self._started, 3)
        write_json(
            self.folder / MANIFEST,
            {"fingerprint": self.fingerprint, "seconds": seconds, **facts, "versions": library_versions(), **self.recipe},
        )


def maker(path: Path) -> str:
    """The stage that makes what is at this place of a run folder; "run", all of them, for what none of them makes."""
    parts = path.parts[::-1]
    for place, part in enumerate(parts):
        if part == "rankings":
            return "search" if parts[place - 1] == "knn" else "rerank"
        if part in _MAKERS:
            return _MAKERS[part]
    return "run"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished artefact. Raises UserError where it is not finished."""
    manifest = _read_json(Path(folder) / MANIFEST)
    if manifest is None:
        raise UserError("not there, or not finished", where=folder, next=next_command(maker(Path(folder))))
    return manifest


def library_versions() -> dict[str, str]:
    """Package name -> version, of the installed packages that results depend on."""
    versions = {}
    for name in ("landmarks", "torch", "timm", "faiss-gpu", "faiss-cpu", "numpy", "pandas"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _clear(folder: Path) -> None:
    """Delete everything but the recipe, the manifest first: if this is interrupted, the folder still names its stage."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != RECIPE:
            path.unlink()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise UserError(f"not valid JSON: {error}", where=path, next="delete its folder and run again") from None
    if not isinstance(value, dict):
        raise UserError("not a manifest", where=path, next="delete its folder and run again")
    return value


def _difference(before: dict, after: dict, prefix: str = "") -> str:
    changes = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes.append(_difference(old, new, f"{prefix}{key}."))
        elif old != new:
            changes.append(f"{prefix}{key} {old!r} -> {new!r}")
    return ", ".join(change for change in changes if change)
