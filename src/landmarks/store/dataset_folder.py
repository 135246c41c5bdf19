"""A dataset that a stage makes: not replaced under the runs that were made from it, unless that is asked for."""

from __future__ import annotations

from landmarks.errors import UserError
from landmarks.store.artefact import MANIFEST, Artefact, read_manifest


def is_replaced(artefact: Artefact) -> bool:
    """Whether the folder holds a finished dataset by the same stage of other settings, or from other files."""
    if not (artefact.folder / MANIFEST).is_file():
        return False
    manifest = read_manifest(artefact.folder)
    return manifest.get("stage") == artefact.stage and any(manifest.get(key) != value for key, value in artefact.recipe.items())


def refuse_replacing(artefact: Artefact, another: str) -> None:
    """Raise UserError where making `artefact` would replace a finished dataset. another: how to make a second one beside it."""
    if not is_replaced(artefact):
        return
    manifest = read_manifest(artefact.folder)
    before, now = (recipe.get("settings", {}) for recipe in (manifest, artefact.recipe))
    changed = [f"{key} {before.get(key)!r} -> {now.get(key)!r}" for key in {**before, **now} if before.get(key) != now.get(key)]
    why = ", ".join(changed) or "from other files"
    raise UserError(
        f"a dataset was made here otherwise: {why[:300]}; runs that were made from it would be of another one",
        where=artefact.folder,
        next=f"{another}, or run.overwrite=true to replace it",
    )
