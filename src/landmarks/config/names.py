"""What can be named in a configuration, and the nearest known name for one that cannot."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def module_names(folder: Path) -> list[str]:
    """The modules in a package's folder, without importing them, in alphabetical order."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def class_in(module_name: str, base: type[T]) -> type[T]:
    """The one subclass of `base` that the module defines; the module is imported."""
    module = importlib.import_module(module_name)
    classes = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, base)]
    (found,) = (value for value in classes if value.__module__ == module_name)
    return found


def require_known(what: str, name: str, known: Iterable[str]) -> str:
    """The name itself. Raises ValueError, with the nearest known name, where it is none of `known`."""
    names = list(known)
    if name not in names:
        raise ValueError(f"unknown {what} '{name}'{did_you_mean(name, names)} (one of {', '.join(names)})")
    return name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean NAME?", or nothing where no known name is like it."""
    guess = get_close_matches(name, list(known), n=1, cutoff=0.3)
    return f"; did you mean {guess[0]}?" if guess else ""
