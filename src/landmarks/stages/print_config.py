"""config: the merged configuration, a line a key in the form the command line takes it, with its meaning."""

from __future__ import annotations

import json
from typing import Any

from landmarks.config import Config
from landmarks.config.load import known_keys

_ABSENT = object()


def print_config(config: Config) -> None:
    """Print every key with its value and its meaning; of optional settings null where they are unset, else their own keys."""
    values = config.model_dump(mode="json")
    lines: list[tuple[str, Any, str | None]] = []
    for key, field in known_keys().items():
        if not key.startswith("models.NAME."):
            lines.append((key, _value_at(values, key), field.description))
        elif not values["models"]:
            lines.append((key, field.default, field.description))
        for name in values["models"] if key.startswith("models.NAME.") else ():
            own = key.replace("NAME", name, 1)
            lines.append((own, _value_at(values, own), field.description))
    for key, value, meaning in lines:
        if value is _ABSENT or (value is not None and any(other.startswith(f"{key}.") for other, *_ in lines)):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        print(f"{key + '=' + text:<48} # {meaning}")


def _value_at(values: dict[str, Any], key: str) -> Any:
    """The value of a dotted key; _ABSENT below optional settings that are unset, whose own key says null."""
    found: Any = values
    for part in key.split("."):
        if found is None:
            return _ABSENT
        found = found[part]
    return found
