"""A training that starts from the weights of another one (train.start_from)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from landmarks.errors import UserError, shown
from landmarks.models.checkpoint import WEIGHTS
from landmarks.reading import require_regular
from landmarks.training.kept_classifier import CLASSIFIER, load_classifier
from landmarks.training.learner import Learner

_BACKBONE, _NETWORK = "backbone.", "backbone.network."


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
