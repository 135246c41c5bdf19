"""What an evaluation comes to: numbers, and beside them every choice that changes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.command import next_command
from landmarks.config import Config, WhitenSettings, verifies
from landmarks.errors import UserError
from landmarks.store.artefact import MANIFEST, read_manifest
from landmarks.store.json_files import read_object
from landmarks.store.ledger import add_to_ledger, write_numbers


@dataclass(frozen=True)
class Evaluation:
    """One chain's numbers under one protocol.

    model        the models of the run, ensembled
    chain        the chain's name
    protocol     the protocol's name
    dataset      what was searched
    choices      name -> what was chosen, in words: everything that changes the number
    numbers      name -> number, in percent; None where there was nothing to measure
    fingerprint  of the ranking that earned them
    """

    model: str
    chain: str
    protocol: str
    dataset: str
    choices: dict[str, str]
    numbers: dict[str, float | None]
    fingerprint: str

    def line(self, date: str) -> dict[str, str]:
        """As the ledger has it."""
        words = "; ".join(f"{name}: {chosen}" for name, chosen in self.choices.items())
        return asdict(self) | {"date": date, "choices": words, "numbers": write_numbers(self.numbers)}


def enter(ledger: Path, evaluations: Iterable[Evaluation]) -> None:
    """Give each its line in the ledger, dated now."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    add_to_ledger(ledger, [evaluation.line(now) for evaluation in evaluations])


@dataclass(frozen=True)
class Scores:
    """What `evaluate` writes: metrics.json, ablation.csv (a row a chain), per_query.csv, and an Evaluation for each chain."""

    results: dict[str, Any]
    chains: pd.DataFrame
    per_query: pd.DataFrame
    evaluations: list[Evaluation]


def in_percent(shares: np.ndarray) -> np.ndarray:
    """As they are written: percent, four decimals."""
    return (100 * shares).round(4)


def mean(values: np.ndarray) -> float | None:
    """As it is written: four decimals; None of nothing."""
    return round(float(np.mean(values)), 4) if len(values) else None


def model_name(models: Collection[str]) -> str:
    """The ensembled models; without any, the user's own descriptors."""
    return "+".join(models) or "descriptors"


def choices(config: Config) -> dict[str, str]:
    """Those that any protocol has: how descriptors were made, and what they were learned on."""
    made = {
        "whitening": whitening_in_words(config.whiten),
        "training set": _training_set(config.models, config.run.folder),
        "overlap": _overlap(config.run.folder),
    }
    if config.models:
        scales = " ".join(f"{scale:g}" for scale in config.extract.scales)
        made = {"longest side": str(config.extract.longest_side), "scales": scales} | made
    if verifies(config.rerank):
        local, how = config.extract.local, config.verification
        sides = " ".join(f"{scale:g}" for scale in local.scales)
        made["local features"] = (
            f"{local.max_features} at most, longest side {local.longest_side or config.extract.longest_side}, scales {sides}"
        )
        made["verification"] = f"{how.transform}, {how.residual:g} pixels, {how.trials} trials, matches within {how.max_distance:g}"
    return made


def whitening_in_words(whiten: WhitenSettings) -> str:
    power = "" if whiten.power == 1 else f", power {whiten.power:g}"
    return f"{whiten.dimensions} dimensions{power}, learned on {whiten.learned_on}" if whiten.dimensions else "none"


def _overlap(run_folder: Path) -> str:
    """How many of the images that are scored are also in the training set, as the stage overlap found."""
    path = run_folder / "overlap" / "summary.json"
    if not path.is_file() or _is_of_other_tables(run_folder):
        return "not measured"
    again = f"delete it, or {next_command('overlap')}"
    return read_object(path, "what the stage overlap has written", {"words": str}, next=again)["words"]


def _is_of_other_tables(run_folder: Path) -> bool:
    """Whether the overlap was found in other descriptors of queries or index than those that were searched."""
    places = [run_folder / "overlap", *(run_folder / "space" / split for split in ("test", "index"))]
    if not all((place / MANIFEST).is_file() for place in places):
        return False
    found, *searched = (read_manifest(place).get("inputs", {}) for place in places)
    return any(found[name] != made for inputs in searched for name, made in inputs.items() if name in found)


def _training_set(models: Collection[str], run_folder: Path) -> str:
    if not models:
        return "not known (descriptors as given)"
    return "; ".join(f"{name}: {_trained_on(run_folder / 'models' / name)}" for name in models)


def _trained_on(folder: Path) -> str:
    try:
        manifest = read_manifest(folder)
    except UserError:  # rankings may be scored without the models that made them
        return "not known"
    if not manifest.get("classes"):
        return "starting weights"
    return f"{manifest.get('images', 0)} images of {manifest['classes']} landmarks"
