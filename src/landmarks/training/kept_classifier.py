"""The classifier of a finished training beside its model, by landmark, for a training that starts from it (train.keep_classifier)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from landmarks.errors import UserError, shown
from landmarks.models.checkpoint import write_tensors
from landmarks.reading import require_regular
from landmarks.training.learner import Learner

CLASSIFIER = "classifier.safetensors"
_LANDMARKS, _PARTS = "landmark_ids", ("classifier", "attention_classifier")


def save_classifier(folder: Path, learner: Learner, landmark_ids: np.ndarray) -> None:
    """Write the classifiers with the landmark of each class.

    landmark_ids  (classes,) int64, class after class
    """
    write_tensors(folder / CLASSIFIER, _classifiers(learner) | {_LANDMARKS: torch.from_numpy(landmark_ids.astype(np.int64))})


def load_classifier(folder: Path, learner: Learner, landmark_ids: np.ndarray) -> int | None:
    """Give the learner's classes the directions that the same landmarks had in the model folder of another training.

    Other classes keep what they have, and so does every tensor of another shape: a class with other dimensions or another number of
    centres. Returns the number of landmarks that both have; None where the folder keeps no classifier, or where nothing has the shape.
    Raises UserError for a damaged file.
    """
    path = folder / CLASSIFIER
    if not path.exists():
        return None
    require_regular(path)
    try:
        tensors = load_file(path)
        theirs = tensors.pop(_LANDMARKS).numpy()
    except (SafetensorError, KeyError) as error:
        raise UserError(f"not a classifier of a training: {shown(error)}", where=path, next="delete it, or copy it again") from None
    _, ours_at, theirs_at = np.intersect1d(landmark_ids, theirs, assume_unique=True, return_indices=True)
    given = 0
    for name, tensor in _classifiers(learner).items():
        kept = tensors.get(name)
        if kept is None:
            continue
        if tensor.ndim == 0:
            if kept.ndim == 0:
                tensor.copy_(kept)
            continue
        ours, other = (_by_class(one, count) for one, count in ((tensor, len(landmark_ids)), (kept, len(theirs))))
        if ours is not None and other is not None and ours.shape[1:] == other.shape[1:]:
            ours[torch.from_numpy(ours_at)] = other[torch.from_numpy(theirs_at)].to(ours)
            given += 1
    return len(ours_at) if given else None


def _classifiers(learner: Learner) -> dict[str, torch.Tensor]:
    """The tensors of the learner's classifiers, sharing its memory."""
    return {name: tensor for name, tensor in learner.state_dict().items() if name.partition(".")[0] in _PARTS}


def _by_class(tensor: torch.Tensor, classes: int) -> torch.Tensor | None:
    """(classes * centres, ...) -> (classes, numbers of a class), sharing its memory; None where it does not divide."""
    if tensor.ndim == 0 or classes == 0 or len(tensor) % classes:
        return None
    return tensor.view(classes, -1)
