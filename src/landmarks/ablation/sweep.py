"""Settings tried out: every combination in the chain, the best chosen on some queries and scored on the others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import yaml

from landmarks.config import Chain, Config, with_settings
from landmarks.errors import UserError
from landmarks.seeds import seed_of


def combinations(config: Config) -> list[Chain]:
    """The configuration's chain as it stands, then with every combination of the sweep's values, or with some drawn at random.

    A step that the chain has several times changes in all its places. Raises UserError for a step that it has not.
    """
    for step in config.ablate.sweep:
        if step not in {own.step for own in config.rerank}:
            raise UserError(
                f"the sweep changes {step}, and the chain has no such step",
                where=f"ablate.sweep.{step}",
                next=f"its steps are {', '.join(own.step for own in config.rerank) or 'none'}",
            )
    swept = swept_keys(config)
    sizes = [len(config.ablate.sweep[step][key]) for step, key in swept]
    numbers = range(math.prod(sizes))
    if 0 < config.ablate.sweep_trials < len(numbers):
        chance = random.Random(seed_of(config.ablate.seed, "trials"))
        numbers = sorted(chance.sample(numbers, config.ablate.sweep_trials))
    chains = [config.rerank]
    for number in numbers:
        changes: dict[str, dict] = {}
        for (step, key), size in zip(reversed(swept), reversed(sizes), strict=True):  # the last key turns fastest
            number, digit = divmod(number, size)
            changes.setdefault(step, {})[key] = config.ablate.sweep[step][key][digit]
        chains.append(tuple(with_settings(own, changes[own.step]) if own.step in changes else own for own in config.rerank))
    return list(dict.fromkeys(chains))


def swept_keys(config: Config) -> list[tuple[str, str]]:
    """The (step, key) that change."""
    return [(step, key) for step, settings in config.ablate.sweep.items() for key in settings]


def swept_values(chain: Chain, swept: list[tuple[str, str]]) -> list[object]:
    """What `chain` has for each of the swept keys."""
    return [getattr(next(own for own in chain if own.step == step), key) for step, key in swept]


def choosing_queries(subjects: Sequence[str], public: np.ndarray | None, choose_on: str, seed: int) -> np.ndarray:
    """(n_query,) bool: the queries that choose; the others score what was chosen.

    subjects   (n_query,) what each query shows, the same word for queries of one landmark
    public     (n_query,) bool, the Public queries; None where there is no such thing
    choose_on  "public": the Public queries; "half": those of half the landmarks, drawn by `seed`

    Raises UserError where one side has no query.
    """
    if choose_on == "public":
        choosing = np.zeros(len(subjects), bool) if public is None else public
    else:
        drawn = sorted(set(subjects), key=lambda subject: seed_of(seed, "half", subject))
        chosen = set(drawn[: len(drawn) // 2])
        choosing = np.array([subject in chosen for subject in subjects], bool)
    if choosing.all() or not choosing.any():
        raise UserError(
            f"the sweep's best is chosen on some queries and scored on others, and {choosing.sum()} of {len(choosing)} are to choose",
            where="ablate.choose_on",
            next="ablate.choose_on=half" if choose_on == "public" else "a ground truth with queries of two landmarks at least",
        )
    return choosing


def as_yaml(chain: Chain) -> str:
    """The lines of a configuration that say `chain`."""
    steps = [step.model_dump(mode="json", exclude_defaults=True) for step in chain]
    dumped = [yaml.safe_dump(step, default_flow_style=True, sort_keys=False, width=math.inf).strip() for step in steps]
    return "\n".join(["rerank:", *(f"  - {step}" for step in dumped)])
