"""What the large libraries report, each in a process of its own: a crash of a library does not end the doctor.

python -m landmarks.doctor.probes torch|faiss|models [argument]        one line of JSON
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from landmarks.errors import UserError

SECONDS = 120  # a first import from a slow disk takes long; one that hangs is broken


class Broken(Exception):
    """A library cannot be used; the message says why, in one line."""


def probe(what: str, argument: str = "") -> dict[str, Any]:
    """The facts of "torch", "faiss" or "models" (argument: {name: architecture} as JSON). Raises Broken."""
    command = [sys.executable, "-m", "landmarks.doctor.probes", what, argument]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise Broken(f"no answer within {SECONDS} s") from None
    except OSError as error:
        raise Broken(str(error)) from None
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"ended with code {done.returncode}")
        raise Broken(last.strip())
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise Broken("no sensible answer") from None


def torch_facts() -> dict[str, Any]:
    """version, cuda (the version torch is built with, or None), gpus [{name, memory in bytes, capability}] that it can use, and fault:
    [what, what to install], why it cannot use others, or None.
    """
    import torch

    from landmarks.cuda import find_cards

    found = find_cards()
    cards = [torch.cuda.get_device_properties(number) for number in found.usable]
    gpus = [{"name": card.name, "memory": card.total_memory, "capability": f"{card.major}.{card.minor}"} for card in cards]
    if gpus:  # a driver that is too old lists its cards and fails at the first product
        square = torch.ones(8, 8, device=f"cuda:{found.usable[0]}")
        float((square @ square).sum())
    fault = None if found.fault is None else [found.fault.what, found.fault.next]
    return {"version": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus, "fault": fault}


def faiss_facts() -> dict[str, Any]:
    """works (a small search gave the right answer)."""
    import numpy as np

    from landmarks.ops.knn import exact_knn

    unit = np.eye(4, dtype=np.float32)
    return {"works": exact_knn(unit, unit, 1)[0].ravel().tolist() == [0, 1, 2, 3]}


def models_facts(architectures: dict[str, str]) -> dict[str, Any]:
    """name -> channels, parameters, weights as `imagenet_weights` says it, and package: what pip would install, where they are one's."""
    from landmarks.models.architectures import PACKAGED, imagenet_weights, package_of
    from landmarks.models.backbone import create_backbone

    facts: dict[str, dict[str, Any]] = {}
    for name, architecture in architectures.items():
        backbone = create_backbone(architecture, pretrained=False)
        parameters = sum(parameter.numel() for parameter in backbone.parameters())
        facts[name] = {
            "channels": backbone.channels,
            "parameters": parameters,
            "weights": imagenet_weights(architecture),
            "package": package_of(architecture) if architecture in PACKAGED else None,
        }
    return facts


def main() -> None:
    what, argument = sys.argv[1], sys.argv[2]
    try:
        facts = models_facts(json.loads(argument)) if what == "models" else {"torch": torch_facts, "faiss": faiss_facts}[what]()
    except UserError as error:
        sys.exit(error.what)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
