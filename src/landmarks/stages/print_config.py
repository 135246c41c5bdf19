"""config: the merged configuration, a line a key in the form the command line takes it, with its meaning; or YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from landmarks.command import next_command
from landmarks.config import Config
from landmarks.config.keys import known_keys
from landmarks.config.names import did_you_mean
from landmarks.config.run_file import as_yaml
from landmarks.errors import UserError, printable

_ABSENT = object()
# What most people change, in the order of a run.
FIRST = (
    "dataset.source",
    "dataset.folder",
    "dataset.train_table",
    "run.folder",
    "run.device",
    "run.processes",
    "models.NAME.backbone",
    "models.NAME.pretrained",
    "models.NAME.dimensions",
    "models.NAME.local",
    "models.NAME.weight",
    "train.loss",
    "train.margin",
    "train.epochs",
    "train.image_size",
    "train.batch_size",
    "train.learning_rate",
    "train.augmentation",
    "train.workers",
    "extract.longest_side",
    "extract.scales",
    "whiten.dimensions",
    "search.neighbours",
    "rerank",
    "evaluate.protocol",
)


def print_config(config: Config, *, section: str | None = None, yaml: bool = False) -> None:
    """Print every key with its value and its meaning, those that most people change first; of optional settings null where they
    are unset, else their own keys.

    section  print this one alone
    yaml     print the whole as YAML, to be fed back with --config
    Raises UserError for a section that is none.
    """
    if section is not None and section not in Config.model_fields:
        raise UserError(
            f"unknown section '{section}'{did_you_mean(section, Config.model_fields)}",
            where="the command line",
            next=next_command("config") + f"  (one of {', '.join(Config.model_fields)})",
        )
    if yaml:
        print(as_yaml(config), end="")
        return
    lines = list(_lines(config.model_dump(mode="json")))
    keys = {own for _, own, _, _ in lines}
    shown = [line for line in lines if not _is_split(line[1], line[2], keys) and section in (None, line[1].split(".")[0])]
    if section is None:
        order = {key: place for place, key in enumerate(FIRST)}
        first = sorted((line for line in shown if line[0] in order), key=lambda line: order[line[0]])
        _print("what most people change", first)
        _print("everything else", [line for line in shown if line[0] not in order])
    else:
        _print(None, shown)


def _lines(values: dict[str, Any]) -> Iterator[tuple[str, str, Any, str | None]]:
    """(general key, own key, value, meaning) of every setting; of a model's one for each model."""
    for key, field in known_keys().items():
        if not key.startswith("models.NAME."):
            yield key, key, _value_at(values, key), field.description
        elif not values["models"]:
            yield key, key, field.default, field.description
        for name in values["models"] if key.startswith("models.NAME.") else ():
            own = key.replace("NAME", name, 1)
            yield key, own, _value_at(values, own), field.description


def _is_split(key: str, value: Any, keys: set[str]) -> bool:
    """Whether there is nothing to print: below optional settings that are unset, or of set ones, which print their own keys."""
    return value is _ABSENT or (value is not None and any(other.startswith(f"{key}.") for other in keys))


def _print(title: str | None, lines: list[tuple[str, str, Any, str | None]]) -> None:
    if title is not None:
        print(f"# --- {title}")
    for _, key, value, meaning in lines:
        text = value if isinstance(value, str) else json.dumps(value)
        print(printable(f"{key + '=' + text:<48} # {meaning}"))


def _value_at(values: dict[str, Any], key: str) -> Any:
    """The value of a dotted key; _ABSENT below optional settings that are unset, whose own key says null."""
    found: Any = values
    for part in key.split("."):
        if found is None:
            return _ABSENT
        found = found[part]
    return found
