"""YAML file + key=value overrides -> Config, with errors that name the key and the nearest known one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from landmarks.command import program
from landmarks.config.chain import Chain
from landmarks.config.explain import explain_all
from landmarks.config.home import anchored, find_configuration, home, shipped_configurations
from landmarks.config.keys import is_path, is_text, may_be_empty
from landmarks.config.read_yaml import RUN_FILE, parse_yaml, read_yaml
from landmarks.config.run_file import RUN_PARTS
from landmarks.config.settings import Config
from landmarks.errors import UserError, shown

_DEFAULTS = {section: Config.model_fields[section].default.folder for section in ("dataset", "run")}


def load_config(path: Path | str | None, overrides: Sequence[str] = (), *, allow_code: bool = False) -> Config:
    """Read `path`, apply `overrides` ("train.epochs=3"; the value is YAML) and check everything.

    allow_code  whether a file in a run folder, which may be somebody else's, may name steps from outside the package: their modules
                are imported, and so run. What `overrides` name is always allowed.
    Raises UserError for a missing or malformed file, an unknown key or a value out of range.
    """
    file = None if path is None else find_configuration(path)
    tree = {} if file is None else read_yaml(file)
    _anchor(tree, home() if file is None or _is_shipped(file) else Path.cwd())
    typed: dict[str, Any] = {}
    for override in overrides:
        _apply(tree, override)
        _apply(typed, override)
    for section, default in _DEFAULTS.items():
        if isinstance(tree.setdefault(section, {}), dict):
            tree[section].setdefault("folder", str(anchored(default, home())))
    refused_in = file if file is not None and not allow_code and _may_be_a_stranger_s(file) else None
    try:
        config = Config.model_validate(tree, context={"code_refused_in": refused_in, "typed": _step_names(typed)})
    except ValidationError as error:
        source = "the command line" if file is None else f"{file} and the command line"
        raise UserError(explain_all(error, tree), where=source, next=f"{program()} config  (prints every key)") from None
    _refuse_unwritable(config)
    return config


def _refuse_unwritable(config: Config) -> None:
    """Raise UserError in a current folder that is not UTF-8: a run keeps whole paths, in files that are."""
    try:
        "".join(str(path.absolute()) for path in (config.dataset.folder, config.run.folder)).encode()
    except UnicodeEncodeError:
        what = "the name of the current folder, or of one above it, holds bytes that are no UTF-8"
        raise UserError(what, where=Path.cwd(), next="type whole paths in another folder, or rename it") from None


def read_chain(value: Any) -> Chain:
    """A chain from its names, "sort,insert", or a list of names, mappings and steps. Raises UserError for what is none."""
    tree = {"rerank": list(value) if isinstance(value, tuple) else value}
    try:
        return Config.model_validate(tree).rerank
    except ValidationError as error:
        raise UserError(explain_all(error, tree), where="the chain") from None


def _is_shipped(file: Path) -> bool:
    return file.resolve().parent == shipped_configurations().resolve()


def _may_be_a_stranger_s(file: Path) -> bool:
    """Run folders are passed on; their configurations must not run code."""
    folders = file.absolute().parent, file.resolve().parent
    return file.name == RUN_FILE or any((folder / part).is_dir() for folder in folders for part in RUN_PARTS)


def _anchor(node: dict[str, Any], folder: Path, prefix: str = "") -> None:
    """Make the paths of a configuration file relative to `folder`, in place."""
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            _anchor(value, folder, f"{key}.")
        elif isinstance(value, str) and value not in ("train", "index", "null") and is_path(key):
            node[name] = str(anchored(Path(value), folder))


def _step_names(value: Any) -> frozenset[str]:
    """Every text in the value that may name a step."""
    if isinstance(value, dict):
        return frozenset().union(*(_step_names(one) for one in (*value.keys(), *value.values())))
    if isinstance(value, list):
        return frozenset().union(*map(_step_names, value))
    return frozenset(name.strip() for name in value.split(",")) if isinstance(value, str) else frozenset()


def _apply(tree: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"'{shown(override)}' is not an override", where="the command line", next="write key=value, such as train.epochs=3")
    value = _parse_value(key, text)
    *parents, last = key.split(".")
    node: Any = tree
    for name in parents:
        if node.get(name) is None:
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            raise UserError(
                f"{shown(key)} reaches into {shown(name)}, which has no keys of its own",
                where="the command line",
                next=f"set {shown(name)} as a whole",
            )
    node[last] = value


def _parse_value(key: str, text: str) -> Any:
    """YAML, but a path or a name is taken as typed: "2024" is a folder, not a number, and "#" may be part of it."""
    if is_text(key) and "\0" not in text:
        unset = text == "null" or (text == "" and not may_be_empty(key))
        return None if unset else text
    try:
        return parse_yaml(text)
    except yaml.YAMLError as error:
        raise UserError(f"the value of {shown(key)} is not valid YAML: {error}", where="the command line", next="quote the value") from None
