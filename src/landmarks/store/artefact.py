"""The folder that a stage makes, with a manifest of settings and inputs by which the stage is skipped or resumed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from landmarks.command import command_line, next_command
from landmarks.errors import UserError
from landmarks.store.files import PART, sweep, write_json
from landmarks.store.json_files import all_writable
from landmarks.store.lock import LOCK, hold, release, tidy
from landmarks.store.manifest import read_manifest_file
from landmarks.store.seal import Seal, changed_files, digest_of_file, seal

MANIFEST, RECIPE = "manifest.json", "recipe.json"
_MAKERS = {
    "models": "train",
    "descriptors": "extract",
    "local": "extract-local",
    "space": "search",
    "clean": "clean",
    "shrunk": "shrink",
    "recognition": "recognize",
    "overlap": "overlap",
    "pairs": "rerank",
    "choice": "rerank",
    "recognition_choice": "rerank",
    "same_label": "clean",
}
_STAGE_OF = {"verify": "rerank"}  # what is called otherwise in a manifest
_sealed_before: dict[Path, Seal] = {}  # folders that this process has begun -> their files when they were last finished
FORMAT = 1  # raised when a stage's output changes for the same settings: older artefacts are then made again


def fingerprint_of_file(path: Path) -> str:
    """The digest of a file's bytes, for inputs that no stage made. Raises UserError for a missing file."""
    try:
        return digest_of_file(path)
    except FileNotFoundError:
        raise UserError("missing file", where=path, next=f"check dataset.folder, or {next_command(maker(path))}") from None


class Artefact:
    """A folder that one stage makes.

    folder    its path; `manifest.json` in it is written last and marks it as complete. It holds the size, the time and the digest of
              every file, so that damage is noticed and arrays of one's own can be adopted
    stage     the name of the stage that makes it
    settings  the configuration keys that determine its content (JSON values)
    inputs    name -> fingerprint of each input
    """

    def __init__(self, folder: Path, stage: str, settings: dict[str, Any], inputs: dict[str, str]):
        self.folder, self.stage = Path(folder), stage
        self.recipe = all_writable(json.loads(json.dumps({"stage": stage, "format": FORMAT, "settings": settings, "inputs": inputs})))
        self._started = time.perf_counter()
        self._was_unfinished = False

    @property
    def fingerprint(self) -> str:
        """What those that are made from it record: the digest of its recipe, or of its files where they were adopted."""
        manifest = self._own_manifest()
        return fingerprint_of_recipe(self.recipe) if manifest is None else manifest["fingerprint"]

    def is_complete(self) -> bool:
        """Whether it is finished and was made by the same recipe. Raises UserError where its files have changed since."""
        manifest = self._own_manifest()
        self._was_unfinished = manifest is None
        if manifest is None:
            return False
        require_unchanged(self.folder, manifest)
        tidy(self.folder)
        return True

    def reserve(self) -> None:
        """Hold the folder, which is not changed yet. Raises UserError as `begin` does, but for a precious one."""
        self._earlier()
        hold(self.folder)
        if self._was_unfinished and self._own_manifest() is not None:
            release(self.folder)
            raise UserError("another process has just finished it", where=self.folder, next=f"{command_line()}  (again)")

    def begin(self, *, precious: bool = False, overwrite: bool = False, continues: bool = False) -> None:
        """Prepare the folder: keep partial work of the same recipe, delete files of another recipe and what a kill left half written.

        It is held until `finish`, or until this process ends.
        precious: the stage takes long, so files of another recipe are deleted only when `overwrite` allows it; `continues` keeps them.
        Raises UserError for a precious artefact, for a folder with files that no stage made, and for one that another process holds,
        or has finished since `is_complete` was asked: it may be read by now.
        """
        self._started = time.perf_counter()
        self.reserve()
        earlier = self._earlier()
        sweep(self.folder, deep=True)
        if earlier is not None and earlier != self.recipe and not continues:
            if precious and not overwrite:
                release(self.folder)
                raise UserError(
                    f"made with other settings: {_difference(earlier, self.recipe)}",
                    where=self.folder,
                    next="run.folder=ANOTHER to keep both, or run.overwrite=true to make it again",
                )
            _clear(self.folder)
        _sealed_before[self.folder] = (read_manifest_file(self.folder / MANIFEST, complete=True) or {}).get("files", {})
        (self.folder / MANIFEST).unlink(missing_ok=True)
        write_json(self.folder / RECIPE, self.recipe)

    def share(self) -> None:
        """For the other processes of a run, whose first process began: hold the folder with it, since they write to it too."""
        hold(self.folder, shared=True)

    def finish(self, *, without: tuple[str, ...] = (), editable: bool = False, **facts: Any) -> None:
        """Write the manifest: the recipe, the files, library versions, seconds and the given facts (counts and the like).

        without   files and folders that may change or go: they are not in the list of files
        editable  the files are tables that may be edited, since what is made from them knows them by content: they must only be there
        """
        seconds = round(time.perf_counter() - self._started, 3)
        files = {"files": seal(self.folder, without, _sealed_before.pop(self.folder, {}), names_only=editable)}
        manifest = {"fingerprint": fingerprint_of_recipe(self.recipe), "seconds": seconds, **facts, "versions": library_versions()}
        write_json(self.folder / MANIFEST, manifest | self.recipe | files)
        self._was_unfinished = False  # by this process: it may begin it again, as a table of pairs that grows
        release(self.folder)

    def _own_manifest(self) -> dict[str, Any] | None:
        manifest = read_manifest_file(self.folder / MANIFEST, complete=True)
        same = manifest is not None and all(manifest.get(key) == value for key, value in self.recipe.items())
        return manifest if same else None

    def _earlier(self) -> dict[str, Any] | None:
        """The recipe that the folder was begun with. Raises UserError for a folder of somebody else."""
        earlier = read_manifest_file(self.folder / RECIPE, complete=False)
        ours = (LOCK,)
        files = self.folder.is_dir() and any(not path.name.endswith(PART) and path.name not in ours for path in self.folder.iterdir())
        if (earlier is None and files) or (earlier is not None and earlier["stage"] != self.stage):
            raise UserError(
                f"the folder holds files that {self.stage} did not make",
                where=self.folder,
                next="name another folder; for a dataset that is there already: dataset.source=folder",
            )
        return earlier


def require_unchanged(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise UserError where files of a finished artefact are missing or have changed; copies with other times are taken note of.

    manifest  of that folder; one of an earlier version lists no files, and they are trusted
    """
    missing, changed, today = changed_files(folder, manifest.get("files", {}))
    editable = any(facts[2] is None for facts in manifest.get("files", {}).values())  # a dataset: the user's pictures may lie in it
    remove = f"rm {shlex.quote(str(folder / MANIFEST))}" if editable else f"rm -r {shlex.quote(str(folder))}"
    again = f"to make it again: {remove} && {next_command(_STAGE_OF.get(manifest['stage'], manifest['stage']))}"
    if missing:
        raise UserError(f"{_some(missing)} of a finished folder {'is' if len(missing) == 1 else 'are'} missing", where=folder, next=again)
    if changed:
        adopt = f"to keep it as it is, and make what depends on it again: {next_command('adopt', str(folder))}"
        raise UserError(f"{_some(changed)} changed after the folder was finished", where=folder, next=f"{again}\n         {adopt}")
    if today != manifest.get("files", {}):
        with contextlib.suppress(OSError, UserError):  # on a read-only disk the files are read again by the next process
            write_json(folder / MANIFEST, manifest | {"files": today})


def fingerprint_of_recipe(recipe: dict[str, Any]) -> str:
    """The digest of JSON values."""
    return hashlib.blake2b(json.dumps(recipe, sort_keys=True).encode(), digest_size=16).hexdigest()


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more files"


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
    """The manifest of a finished artefact. Raises UserError where it is not finished, or where its files have changed since."""
    manifest = read_manifest_file(Path(folder) / MANIFEST, complete=True)
    if manifest is None:
        raise UserError("not there, or not finished", where=folder, next=next_command(maker(Path(folder))))
    require_unchanged(Path(folder), manifest)
    tidy(Path(folder))
    return manifest


def library_versions() -> dict[str, str]:
    """Package name -> version, of the installed packages that results depend on."""
    versions = {}
    for name in ("landmarks", "torch", "timm", "faiss-gpu", "faiss-cpu", "numpy", "pandas"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _clear(folder: Path) -> None:
    """Delete everything but the recipe, the manifest first: if this is interrupted, the folder still names its stage."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (RECIPE, LOCK):
            path.unlink()


def _difference(before: dict, after: dict, prefix: str = "") -> str:
    changes = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes.append(_difference(old, new, f"{prefix}{key}."))
        elif old != new:
            changes.append(f"{prefix}{key} {old!r} -> {new!r}")
    return ", ".join(change for change in changes if change)
