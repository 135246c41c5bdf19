"""YAML file + key=value overrides -> Config, with errors that name the key and the nearest known one."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from landmarks.config.base import Settings
from landmarks.config.names import did_you_mean
from landmarks.config.renamed import what_became_of
from landmarks.config.settings import Config, ModelSettings
from landmarks.config.step import Step, step_class
from landmarks.errors import UserError

RUN_PARTS = ("models", "descriptors", "local", "space", "rankings")  # folders by which a run folder is known


def load_config(path: Path | str | None, overrides: Sequence[str] = (), *, allow_code: bool = False) -> Config:
    """Read `path`, apply `overrides` ("train.epochs=3"; the value is YAML) and check everything.

    allow_code  whether a file in a run folder, which may be somebody else's, may name steps from outside the package: their modules
                are imported, and so run. What `overrides` name is always allowed.
    Raises UserError for a missing or malformed file, an unknown key or a value out of range.
    """
    tree = _read_yaml(Path(path)) if path is not None else {}
    typed: dict[str, Any] = {}
    for override in overrides:
        _apply(tree, override)
        _apply(typed, override)
    refused_in = path if path is not None and not allow_code and _is_in_run_folder(Path(path)) else None
    try:
        return Config.model_validate(tree, context={"code_refused_in": refused_in, "typed": _step_names(typed)})
    except ValidationError as error:
        source = "the command line" if path is None else f"{path} and the command line"
        problems = [_explain(problem, tree) for problem in error.errors()]
        raise UserError("; ".join(problems), where=source, next="./run.sh config  (prints every key)") from None


def _is_in_run_folder(path: Path) -> bool:
    folders = path.absolute().parent, path.resolve().parent
    return any((folder / part).is_dir() for folder in folders for part in RUN_PARTS)


def _step_names(value: Any) -> frozenset[str]:
    """Every text in the value that may name a step."""
    if isinstance(value, dict):
        return frozenset().union(*(_step_names(one) for one in (*value.keys(), *value.values())))
    if isinstance(value, list):
        return frozenset().union(*map(_step_names, value))
    return frozenset(name.strip() for name in value.split(",")) if isinstance(value, str) else frozenset()


class _NoRepeatedKeys(yaml.SafeLoader):
    """YAML's own loader lets the last of two equal keys win in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{repeated}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _NoRepeatedKeys)
    except OSError as error:
        known = sorted(str(p) for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise UserError(
            f"cannot read the configuration: {error.strerror}",
            where=path,
            next=f"--config with one of {', '.join(known)}" if known else "check the path",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"not valid YAML: {error}", where=path, next="correct the file") from None
    if not isinstance(tree, dict | None):
        raise UserError("the configuration must be a mapping of keys", where=path, next="see configs/sample.yaml")
    return {key: value for key, value in (tree or {}).items() if value is not None}  # a section whose keys are all commented out


def _apply(tree: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"'{override}' is not an override", where="the command line", next="write key=value, such as train.epochs=3")
    value = _parse_value(key, text)
    *parents, last = key.split(".")
    node: Any = tree
    for name in parents:
        if node.get(name) is None:
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            raise UserError(
                f"{key} reaches into {name}, which has no keys of its own", where="the command line", next=f"set {name} as a whole"
            )
    node[last] = value


def _parse_value(key: str, text: str) -> Any:
    """YAML, but a path or a name is taken as typed: "2024" is a folder, not a number, and "#" may be part of it."""
    field = known_keys().get(key)
    if field is not None and field.annotation in (Path, str, Path | None, str | None):
        return None if text in ("", "null") else text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"the value of {key} is not valid YAML: {error}", where="the command line", next="quote the value") from None


def _explain(problem: ErrorDetails, tree: dict) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return what_became_of(_plain_key(location, tree)) or f"unknown key {key}{_nearest(location, tree)}"
    if problem["type"] in ("no_step", "unknown_step"):
        return f"{key}: {problem['msg']}"
    if key.startswith("rerank") and problem["type"] == "tuple_type":
        written = "rerank=sort,insert or rerank='[{step: sort}, {step: insert}]'"
        return f"{key} is {problem['input']!r}, not a list of steps: write {written}"
    message = problem["msg"].removeprefix("Value error, ")
    if message.startswith("unknown "):
        return f"{key}: {message}"
    return f"{key}: {message}, not {problem['input']!r}" if key else message


def _nearest(location: list[str], tree: dict) -> str:
    """The known key most like an unknown one: among its neighbours first, then anywhere."""
    *parents, name = location
    if parents[:1] == ["rerank"] or parents[:2] == ["ablate", "chains"]:
        return did_you_mean(name, _step_at(parents, tree).model_fields)
    model = parents[1] if len(parents) > 1 and parents[0] == "models" else "NAME"
    keys = [key.replace("models.NAME", f"models.{model}") for key in known_keys()]
    keys += [name for name in Config.model_fields if name not in keys]
    full = ".".join(location)
    guess = get_close_matches(full, keys, n=1, cutoff=0.75) or [k for k in keys if k.rsplit(".", 1)[-1] == name][:1]
    guess = guess or get_close_matches(full, keys, n=1, cutoff=0.4)
    return f"; did you mean {guess[0]}?" if guess else ""


def _plain_key(location: list[str], tree: dict) -> str:
    """The dotted key; of a step's setting the step's name and the setting."""
    *parents, name = location
    in_chain = parents[:1] == ["rerank"] or parents[:2] == ["ablate", "chains"]
    return f"{_step_at(parents, tree).__module__.rpartition('.')[2]}.{name}" if in_chain else ".".join(location)


def _step_at(place: list[str], tree: Any) -> type[Step]:
    """The class of the step at a place of a chain, such as rerank.0; one with a mistake in it was read, so that the class is known."""
    for part in place:
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    return step_class(tree["step"])


def known_keys(settings: type[Settings] = Config, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> pydantic field, for every setting; a model's keys are under models.NAME, optional settings after their own key."""
    keys: dict[str, Any] = {}
    for name, field in settings.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        within = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)), None)
        if name == "models":
            keys |= known_keys(ModelSettings, "models.NAME.")
            continue
        if within is not field.annotation:
            keys[prefix + name] = field
        if within is not None:
            keys |= known_keys(within, f"{prefix}{name}.")
    return keys
