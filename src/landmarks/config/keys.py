"""The dotted keys of all settings."""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from landmarks.config.base import Settings
from landmarks.config.model import ModelSettings
from landmarks.config.settings import Config


def known_keys(settings: type[Settings] = Config, prefix: str = "") -> dict[str, FieldInfo]:
    """Dotted key -> pydantic field, for every setting; a model's keys are under models.NAME, optional settings after their own key."""
    keys: dict[str, FieldInfo] = {}
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


def general(key: str) -> str:
    """The key as `known_keys` has it: models.NAME.backbone for models.mine.backbone, train.loss for models.mine.recipe.loss."""
    parts = key.split(".")
    if parts[0] == "models" and parts[2:3] == ["recipe"] and len(parts) > 3:
        return ".".join(["train", *parts[3:]])
    return ".".join(["models", "NAME", *parts[2:]]) if parts[0] == "models" and len(parts) > 2 else key


def is_path(key: str) -> bool:
    """Whether the value of a key is a path; that of whiten.learned_on may be one."""
    field = known_keys().get(general(key))
    return key == "whiten.learned_on" or (field is not None and _types(field.annotation) == {Path})


def is_text(key: str) -> bool:
    """Whether the value of a key is taken as it is typed: a path or a name."""
    field = known_keys().get(general(key))
    return field is not None and _types(field.annotation) <= {Path, str}


def may_be_empty(key: str) -> bool:
    """Whether the empty text is a value of a key, as it is of those that have it by default."""
    field = known_keys().get(general(key))
    return field is not None and field.default == ""


def _types(annotation: Any) -> set[Any]:
    """The types of an annotation, without None."""
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_types(one) for one in get_args(annotation)))
    return set() if annotation is NoneType else {annotation}
