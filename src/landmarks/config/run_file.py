"""The configuration that a run folder keeps of itself: config.yaml, whole, with absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from landmarks.config.base import expanded
from landmarks.config.dataset import DatasetSettings
from landmarks.config.model import ModelSettings
from landmarks.config.read_yaml import RUN_FILE, VERSION, read_yaml
from landmarks.config.settings import Config
from landmarks.errors import UserError, shown, without_credentials

_Settings = TypeVar("_Settings", bound=BaseModel)

RUN_PARTS = ("models", "descriptors", "local", "space", "rankings")  # folders that a run folder has
_MADE = [f"{part}/recipe.json" for part in ("models/*", "descriptors/*/*", "local/*/*", "space/*", "rankings/*")]
_RECIPES = ["dataset/recipe.json", *_MADE]

_OF_DATASET = ("source", "folder", "train_table", "query_crop", "distractors")
_NOT_OF_MODEL = {"weight", "recipe", "train", "checkpoint"}  # which may change: the stages that they shape look at them


def is_run_folder(folder: Path) -> bool:
    """Whether runs were made there."""
    return (folder / RUN_FILE).is_file() or has_parts(folder)


def has_parts(folder: Path) -> bool:
    """Whether a stage has made something there."""
    return any(next(folder.glob(place), None) is not None for place in _RECIPES)


def has_made_parts(folder: Path) -> bool:
    """Whether a stage has made something there from the dataset."""
    return any(next(folder.glob(place), None) is not None for place in _MADE)


def as_yaml(config: Config) -> str:
    """The whole configuration, to be fed back with --config; its paths are absolute, and its addresses without passwords."""
    values = _absolute(config.model_dump(mode="json"), config)
    values["download"]["gldv2_url"] = without_credentials(config.download.gldv2_url)  # run folders are printed and passed on
    return yaml.safe_dump({"version": VERSION, **values}, sort_keys=False, allow_unicode=True)


def differences(config: Config, file: Path) -> list[str]:
    """What differs of dataset and models from those that a run folder was made with, which stay.

    Only these two sections of its config.yaml are read: steps that it may name are not imported.
    """
    tree = read_yaml(file)
    stored = stored_dataset(file)
    found = []
    for key in _OF_DATASET:
        before, now = (_comparable(getattr(dataset, key)) for dataset in (stored, config.dataset))
        if before != now:
            found.append(f"dataset.{key} {before} -> {now}")
    models = {name: _stored(file, f"models.{name}", ModelSettings, model) for name, model in (tree.get("models") or {}).items()}
    if list(config.models) != list(models):
        return [*found, f"models {', '.join(models) or 'none'} -> {', '.join(config.models) or 'none'}"]
    for name, model in config.models.items():
        before, now = (one.model_dump(mode="json", exclude=_NOT_OF_MODEL) for one in (models[name], model))
        found += [f"models.{name}.{key} {before[key]} -> {now[key]}" for key in now if before[key] != now[key]]
    return found


def stored_dataset(file: Path) -> DatasetSettings:
    """The dataset of a run folder's config.yaml. Raises UserError where another version wrote it, or somebody changed it."""
    return _stored(file, "dataset", DatasetSettings, read_yaml(file).get("dataset"))


def _stored(file: Path, key: str, kind: type[_Settings], value: Any) -> _Settings:
    try:
        return kind.model_validate(value or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (key, *first["loc"])))
        raise UserError(f"{where}: {shown(first['msg'])}", where=file, next="correct it; or use the version that wrote it") from None


def _comparable(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value


def _absolute(values: dict[str, Any], config: Config) -> dict[str, Any]:
    """The dumped configuration with absolute paths."""
    for section, key in (
        ("dataset", "folder"),
        ("dataset", "distractors"),
        ("overlap", "train"),
        ("overlap", "train_table"),
        ("train", "start_from"),
        ("evaluate", "submission"),
        ("run", "folder"),
        ("run", "ledger"),
    ):
        if values[section][key] is not None:
            values[section][key] = str(Path(values[section][key]).absolute())
    for model in values["models"].values():
        if model["checkpoint"] is not None:
            model["checkpoint"] = str(Path(model["checkpoint"]).absolute())
        if model["recipe"].get("start_from") is not None:
            model["recipe"]["start_from"] = str(Path(model["recipe"]["start_from"]).absolute())
    if config.whiten.learned_on not in ("train", "index"):
        values["whiten"]["learned_on"] = str(expanded(Path(config.whiten.learned_on)).absolute())
    return values
