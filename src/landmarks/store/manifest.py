"""The manifest and the recipe of a folder that a stage makes, checked before they are believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from landmarks.command import next_command
from landmarks.errors import UserError, shown
from landmarks.reading import read_text
from landmarks.store.json_files import Shape, parse_object

_RECIPE: Shape = {"stage": str, "settings": dict, "inputs": dict}
_MANIFEST: Shape = {**_RECIPE, "fingerprint": str, "seconds": (int, float)}
_FACTS: Shape = {  # what only some stages write
    "files": dict,
    "places": dict,
    "images": int,
    "classes": int,
    "dimensions": int,
    "queries": int,
    "features": int,
    "pairs": int,
    "skipped": dict,
    "table_without_skipped": str,
    "checkpoint": str,
    "start_from": str,
    "decided": dict,
    "step_seconds": (int, float),
    "seconds_a_comparison": (int, float, type(None)),
    "peak_megabytes": (int, float, type(None)),
}
_MAX_COUNT, _MAX_DIMENSIONS = 10**11, 10**6


def read_manifest_file(path: Path, *, complete: bool) -> dict[str, Any] | None:
    """The content, None where there is no such file. Raises UserError for one that no stage has written.

    complete  a manifest; False: a recipe, which is a part of it
    """
    try:
        found = parse_object(read_text(path), _MANIFEST if complete else _RECIPE, _FACTS if complete else {})
        _refuse_odd(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        kind = "manifest" if complete else "recipe"
        raise UserError(f"not the {kind} of a stage: {shown(error)}", where=path, next=_again(path)) from None
    return found


def _refuse_odd(found: dict[str, Any]) -> None:
    for key, value in found.items():
        limit = _MAX_DIMENSIONS if key == "dimensions" else _MAX_COUNT
        if key in _FACTS and isinstance(value, int) and not 0 <= value <= limit:
            raise ValueError(f"its {key} is {shown(value, 40)}")
    if not all(isinstance(one, str) for one in found["inputs"].values()):
        raise ValueError("its inputs are not all fingerprints")
    for name, facts in found.get("files", {}).items():
        if not isinstance(facts, list) or [type(one) for one in facts] not in ([int, int, str], [int, int, type(None)]):
            raise ValueError(f"its file {shown(name, 100)} has no size, time and digest")


def _again(path: Path) -> str:
    return f"delete {path.parent} where it holds nothing of yours, then {next_command('run')}"
