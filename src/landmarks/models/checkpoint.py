"""Models from their settings, and trained models on disk: model.safetensors beside the settings that rebuild it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from landmarks.command import next_command
from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models.delg import DelgModel
from landmarks.models.global_model import GlobalModel
from landmarks.reading import read_text, require_regular
from landmarks.store.files import atomic_write, copy_file, write_text

WEIGHTS, SETTINGS = "model.safetensors", "model.json"


class _Saved(ModelSettings):
    """What model.json holds: the settings, and what they do not say of how the model was built.

    origin    of the backbone (Backbone.origin)
    positive  of the local branch; models of earlier versions have no such entry and a branch that is
    """

    origin: dict[str, Any] | None = None
    positive: bool = True


def build_model(settings: ModelSettings, drop_path_rate: float = 0.0) -> GlobalModel:
    """A model at its starting weights, a DelgModel where settings.local is set.

    Weights that are not pretrained are drawn from torch's generator: seed it first.

    drop_path_rate  stochastic depth of the backbone, while it is trained
    """
    kind = GlobalModel if settings.local is None else DelgModel
    return kind(settings, drop_path_rate)


def save_model(folder: Path, model: GlobalModel, settings: ModelSettings) -> None:
    """Write model.json and model.safetensors, the weights last."""
    saved = settings.model_dump(mode="json")
    if model.backbone.origin is not None:
        saved["origin"] = model.backbone.origin
    if isinstance(model, DelgModel):
        saved["positive"] = model.local.positive
    write_text(folder / SETTINGS, json.dumps(saved, indent=2) + "\n")
    write_tensors(folder / WEIGHTS, model.state_dict())


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], header: dict[str, str] | None = None) -> None:
    """Write a .safetensors file; the tensors may be of any device."""
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, header)
    with atomic_write(path) as aside:
        aside.write_bytes(data)  # save_file would make it readable by its owner only


def copy_model(source: Path, folder: Path, settings: ModelSettings) -> None:
    """Copy the model in `source`, which another run trained, to `folder`.

    Raises UserError where there is none, and where it is another model than `settings` describes.
    """
    trained = _read_settings(source)
    shape = ["dimensions", "pooling", "head_batchnorm", "local", "dolg"]
    shape += ["backbone"] if _architecture(trained) != _architecture(settings) else []
    different = [
        f"{key}={json.dumps(trained.model_dump(mode='json')[key])}" for key in shape if getattr(trained, key) != getattr(settings, key)
    ]
    if different:
        raise UserError(
            "the checkpoint is another model than the configuration describes", where=source, next=f"in models.NAME: {', '.join(different)}"
        )
    for name in (WEIGHTS, SETTINGS):
        with atomic_write(folder / name) as aside:
            copy_file(source / name, aside)


def load_model(folder: Path) -> GlobalModel:
    """Rebuild the model that `save_model` wrote, on the CPU, in eval mode; nothing is downloaded.

    Raises UserError where a file is missing or damaged, or does not fit the other.
    """
    folder = Path(folder)
    settings = _read_settings(folder)
    try:
        require_regular(folder / WEIGHTS)
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise _missing(folder / WEIGHTS) from None
    except (SafetensorError, OSError) as error:
        raise _damaged(folder, error) from None
    model = _rebuilt(settings.model_copy(update={"pretrained": False}))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"the weights do not fit model.json: {error}", where=folder / WEIGHTS, next="delete the folder and train again"
        ) from None
    return model.eval()


def _architecture(settings: ModelSettings) -> str:
    """The backbone without what timm has behind the dot: the weights that its training started from."""
    return settings.backbone if ":" in settings.backbone else settings.backbone.partition(".")[0]


def _rebuilt(saved: _Saved) -> GlobalModel:
    if saved.local is None:
        return GlobalModel(saved, origin=saved.origin)
    return DelgModel(saved, origin=saved.origin, positive=saved.positive)


def _read_settings(folder: Path) -> _Saved:
    try:
        return _Saved.model_validate_json(read_text(Path(folder) / SETTINGS))
    except FileNotFoundError as error:
        raise _missing(error.filename) from None
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise _damaged(folder, error) from None


def _missing(path: Path | str) -> UserError:
    return UserError("no trained model here", where=path, next=next_command("train"))


def _damaged(folder: Path, error: Exception) -> UserError:
    return UserError(f"the model is damaged: {error}", where=folder, next="delete the folder and train again")
