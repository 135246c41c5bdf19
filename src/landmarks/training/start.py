"""A training that starts from the weights of another one (train.start_from)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from landmarks.config import ModelSettings, TrainSettings
from landmarks.errors import UserError, errors_of_model, shown
from landmarks.models.checkpoint import WEIGHTS
from landmarks.reading import require_regular
from landmarks.training.images import TrainingImages
from landmarks.training.kept_classifier import CLASSIFIER, load_classifier
from landmarks.training.learner import Learner, create_learner

_BACKBONE, _NETWORK = "backbone.", "backbone.network."


def begin_learner(name: str, model: ModelSettings, settings: TrainSettings, images: TrainingImages | None) -> tuple[Learner, str]:
    """What is trained, with its starting weights; and what was taken of those of train.start_from, "" without them.

    images  None: no epoch trains it, and train.start_from has no part in it
    Raises UserError as `create_learner` and `start_from` do.
    """
    with errors_of_model(name):
        if images is None:
            return create_learner(name, model, settings, 1, None), ""
        source = settings.start_from
        built = model if source is None else model.model_copy(update={"pretrained": False})
        learner = create_learner(name, built, settings, images.classes, images.counts)
        return learner, "" if source is None else start_from(learner, source, images.landmarks)


def start_from(learner: Learner, source: Path, landmark_ids: np.ndarray) -> str:
    """Give `learner` the weights in `source`; returns what was taken, for a message.

    source        model folder of a run, or a .safetensors file with the tensors of such a model or, under timm's names, of its backbone
    landmark_ids  (classes,) int64: the directions of landmarks that the other training had too are taken where it kept them

    The backbone must be whole; of the rest, what has the same shape is taken. Raises UserError otherwise.
    """
    path = source / WEIGHTS if source.is_dir() else source
    tensors, own = _read(path), learner.model.state_dict()
    if not any(name.startswith(_BACKBONE) for name in tensors):
        tensors = {_NETWORK + name: tensor for name, tensor in tensors.items()}
    taken = {name: tensors[name] for name, tensor in own.items() if name in tensors and tensors[name].shape == tensor.shape}
    missing = [name for name in own if name not in taken]
    backbone = [name for name in missing if name.startswith(_BACKBONE) and not name.endswith("num_batches_tracked")]
    if backbone:
        first = backbone[0]
        found = f"is {tuple(tensors[first].shape)}" if first in tensors else "is not there"
        raise UserError(
            f"{len(backbone)} tensors of the backbone do not fit; {first.removeprefix(_NETWORK)} {found}, here {tuple(own[first].shape)}",
            where=path,
            next="models.NAME.backbone as the weights have it (model.json beside them), or other weights",
        )
    with torch.no_grad():
        learner.model.load_state_dict(own | taken)
        learner.begins_trained = True
        carried = load_classifier(source, learner, landmark_ids) if source.is_dir() else None
    said = [f"{len(taken)} of {len(own)} tensors"]
    anew = [name for name in missing if not name.startswith(_BACKBONE)]
    if anew:
        said.append(f"{', '.join(anew[:3])}{' and others' if len(anew) > 3 else ''} from the start")
    if carried is None:
        said.append("all classes from the start" + ("" if (source / CLASSIFIER).exists() else " (train.keep_classifier=true keeps them)"))
    else:
        said.append(f"the classes of {carried} of {len(landmark_ids)} landmarks")
    return "; ".join(said)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.exists():
        raise UserError("missing file", where=path, next="name the folder of a trained model, or a .safetensors file, in train.start_from")
    require_regular(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(
            f"not a .safetensors file: {shown(error)}", where=path, next="name another file in train.start_from: nothing is unpickled"
        ) from None
