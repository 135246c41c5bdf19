"""Changed files of a finished folder are taken as they are: arrays of one's own, say."""

from __future__ import annotations

from pathlib import Path

from landmarks.command import next_command
from landmarks.errors import UserError
from landmarks.store.artefact import MANIFEST, fingerprint_of_recipe, maker, require_unchanged
from landmarks.store.files import sweep, write_json
from landmarks.store.lock import hold, release
from landmarks.store.manifest import read_manifest_file
from landmarks.store.seal import changed_files, seal


def adopt(folder: Path) -> list[str]:
    """Take the files of a finished artefact as they are; returns the names of those that had changed.

    Its fingerprint then follows from the files, so that everything made from it is made again. Raises UserError where the folder is
    not a finished artefact, where a file is missing, and where another process makes it.
    """
    manifest = read_manifest_file(folder / MANIFEST, complete=True)
    if manifest is None:
        raise UserError("no finished folder of a run", where=folder, next=next_command(maker(folder)))
    hold(folder)
    try:
        sweep(folder, deep=True)
        missing, changed, today = changed_files(folder, manifest.get("files", {}))
        if missing:
            require_unchanged(folder, manifest)
        if changed:
            now = seal(folder, known=today)
            files = {name: now[name] for name in today}
            recipe = {key: manifest[key] for key in ("stage", "format", "settings", "inputs")}
            fingerprint = fingerprint_of_recipe(recipe | {"files": {name: facts[2] for name, facts in files.items()}})
            write_json(folder / MANIFEST, manifest | {"fingerprint": fingerprint, "adopted": changed, "files": files})
        return changed
    finally:
        release(folder)
