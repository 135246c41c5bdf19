"""Settings tried out: every combination in the chain, the best chosen on some queries and scored on the others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import yaml

from landmarks.config import AblateSettings, Chain, require_places, with_settings
from landmarks.errors import UserError
from landmarks.seeds import seed_of


def combinations(chain: Chain, settings: AblateSettings, neighbours: int) -> list[Chain]:
    """The chain as it is, then with every combination of the sweep's values, or with some drawn at random.

    neighbours  the length of the lists
    A step that the chain has several times changes in all its places. Raises UserError for a step that it has not, and where a
    step could not work with a combination.
    """
    for step in settings.sweep:
        if step not in {own.step for own in chain}:
            raise UserError(
                f"the sweep changes {step}, and the chain has no such step",
                where=f"ablate.sweep.{step}",
                next=f"its steps are {', '.join(own.step for own in chain) or 'none'}",
            )
    swept = swept_keys(settings)
    sizes = [len(settings.sweep[step][key]) for step, key in swept]
    numbers: Sequence[int] = range(math.prod(sizes))
    if 0 < settings.sweep_trials < len(numbers):
        random_numbers = random.Random(seed_of(settings.seed, "trials"))
        numbers = sorted(random_numbers.sample(numbers, settings.sweep_trials))
    chains = [chain]
    for number in numbers:
        changes: dict[str, dict[str, Any]] = {}
        for (step, key), size in zip(reversed(swept), reversed(sizes), strict=True):  # the last key turns fastest
            number, digit = divmod(number, size)
            changes.setdefault(step, {})[key] = settings.sweep[step][key][digit]
        changed = tuple(with_settings(own, changes[own.step]) if own.step in changes else own for own in chain)
        try:
            require_places(changed, neighbours)
        except ValueError as error:
            raise UserError(str(error), where="ablate.sweep", next="leave that value out") from None
        chains.append(changed)
    return list(dict.fromkeys(chains))


def swept_keys(settings: AblateSettings) -> list[tuple[str, str]]:
    """The (step, key) that change."""
    return [(step, key) for step, values in settings.sweep.items() for key in values]


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
