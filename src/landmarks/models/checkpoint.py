"""A trained model on disk: model.safetensors beside the settings that rebuild it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from landmarks.config import ModelSettings
from landmarks.errors import UserError
from landmarks.models.build import build_model
from landmarks.models.global_model import GlobalModel
from landmarks.store.files import write_text, written_whole

WEIGHTS, SETTINGS = "model.safetensors", "model.json"


def save_model(folder: Path, model: GlobalModel, settings: ModelSettings) -> None:
    """Write model.json and model.safetensors, the weights last."""
    write_text(folder / SETTINGS, settings.model_dump_json(indent=2) + "\n")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with written_whole(folder / WEIGHTS) as aside:
        aside.write_bytes(save(tensors))  # save_file would make it readable by its owner only


def load_model(folder: Path) -> GlobalModel:
    """Rebuild the model that `save_model` wrote, on the CPU, in eval mode; nothing is downloaded.

    Raises UserError where a file is missing, cut off, or does not fit the other.
    """
    folder = Path(folder)
    try:
        settings = ModelSettings.model_validate_json((folder / SETTINGS).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise UserError("no trained model here", where=error.filename or folder, next="./run.sh train --config CONFIG") from None
    except (ValidationError, SafetensorError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"not a whole model: {error}", where=folder, next="delete the folder and train again") from None
    model = build_model(settings.model_copy(update={"pretrained": False}))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"the weights do not fit model.json: {error}", where=folder / WEIGHTS, next="delete the folder and train again"
        ) from None
    return model.eval()
