"""The checkpoint that an interrupted training resumes from: one safetensors file, with the step in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from landmarks.command import next_command
from landmarks.errors import UserError, shown
from landmarks.models.checkpoint import write_tensors
from landmarks.reading import require_regular
from landmarks.store.artefact import RECIPE, fingerprint_of_recipe
from landmarks.store.cells import integer
from landmarks.store.json_files import parse_json
from landmarks.store.manifest import read_manifest_file
from landmarks.training.optimizer import load_state_tensors, state_tensors

RESUME = "resume.safetensors"
_MORE = "more/"


def _recipe(folder: Path) -> str:
    """The digest of the settings that the folder's training was begun with: whose the checkpoint is. Its table may lose rows."""
    recipe = read_manifest_file(folder / RECIPE, complete=False)
    return "" if recipe is None else fingerprint_of_recipe(recipe["settings"])


def write_resume(
    folder: Path,
    step: int,
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: Any = None,
    more: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write the state after `step` finished steps.

    scaler  float16's gradient scaler, where there is one
    more    name -> tensor beside the learner's own: the average of the weights
    The header has the number of processes too.
    """
    tensors = learner.state_dict() | state_tensors(optimizer, learner)
    tensors |= {_MORE + name: tensor for name, tensor in (more or {}).items()}
    state = json.dumps(scaler.state_dict() if scaler is not None else None)
    header = {"step": str(step), "recipe": _recipe(folder), "scaler": state, "processes": str(PartialState().num_processes)}
    write_tensors(folder / RESUME, tensors, header)


def read_resume(
    folder: Path,
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: Any = None,
    more: Mapping[str, torch.Tensor] | None = None,
) -> int:
    """Restore the state, with the tensors of `more` in place.

    Returns the number of finished steps, 0 without a checkpoint; raises UserError for one that does not fit.
    """
    path = folder / RESUME
    if not path.exists():
        return 0
    require_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            header, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
        recipe = _recipe(folder)
        if header.get("recipe", recipe) != recipe:
            raise RuntimeError("it is of a training with other settings")
        learner.load_state_dict({name: tensors[name] for name in learner.state_dict()})
        load_state_tensors(optimizer, learner, tensors)
        for name, tensor in (more or {}).items():
            tensor.copy_(tensors[_MORE + name])
        state, step = parse_json(header["scaler"]), integer(header["step"])
        if step is None or step < 0 or not isinstance(state, dict | None):
            raise ValueError("its step or its scaler is none")
        if scaler is not None and state is not None:
            scaler.load_state_dict(state)
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise UserError(
            f"the checkpoint to resume from does not fit: {shown(error)}",
            where=path,
            next="delete it: training then starts from the beginning",
        ) from None
    return step


def require_processes(folder: Path, learner: nn.Module, accelerator: Accelerator) -> str:
    """What changes where the checkpoint was written by another number of processes, for a message; empty where it was not.

    The batches are the same. With GPUs, or without BatchNorm, so are the gradients, to rounding; on CPUs each process has the BatchNorm
    statistics of its own share of a batch: that is another training, and raises UserError.

    learner  in training mode
    """
    path = folder / RESUME
    if not path.exists():
        return ""
    with safe_open(path, framework="pt") as file:
        before = integer((file.metadata() or {}).get("processes", ""))
    now = accelerator.num_processes
    if before is None or before == now:
        return ""
    if accelerator.device.type == "cpu" and any(isinstance(part, _BatchNorm) and part.training for part in learner.modules()):
        raise UserError(
            f"the checkpoint is of {before} process{'es' if before > 1 else ''} and BatchNorm sees other images with {now}",
            where=path,
            next=f"{next_command('train', f'run.processes={before}')}, or delete the checkpoint and start again",
        )
    return f"begun by {before} process{'es' if before > 1 else ''} and continued by {now}: the same but for rounding, and for dropout"
