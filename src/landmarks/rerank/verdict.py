"""What was found out about the steps that could take the place of `auto`, in numbers and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import yaml

from landmarks.config.chain import Chain, step_name
from landmarks.config.step import Step
from landmarks.progress import say
from landmarks.rerank.cost import measured

SAMPLES = 2000  # bootstrap draws

Made = TypeVar("Made")


class Change(NamedTuple):
    """before, after: the measure of the pseudo-queries in percent; low, high: 95 % interval of the change."""

    before: float
    after: float
    low: float
    high: float


class Verdict(NamedTuple):
    """On one step; before, after, low, high: as of its Change, NaN = not tried.

    seconds  that the step would take for the real queries and index, from those in the pseudo-worlds
    """

    step: Step
    kept: bool
    why: str
    before: float = np.nan
    after: float = np.nan
    low: float = np.nan
    high: float = np.nan
    seconds: float = np.nan


def try_steps(
    chain: Chain,
    steps: Chain,
    run: Callable[[Chain], Made],
    change: Callable[[Made, Made], Change],
    *,
    on: str,
    larger: float,
) -> list[Verdict]:
    """A verdict on each of the steps, behind the chain and those before it that were kept.

    A step is dropped where it surely loses: where the interval lies below zero.

    run     a chain -> what is measured behind it; change: two of these -> by how much the second is better
    on      what was measured, for the verdict's words
    larger  how many times longer a step takes on the real images
    """
    before, verdicts = run(chain), []
    for step in steps:
        with measured() as cost:  # the first time that the step runs: a pseudo-world keeps what it made
            after = run((*chain, step))
        found = change(before, after)
        kept, what = _judge(found)
        verdicts.append(Verdict(step, kept, f"{what} on {on}", *found, cost.seconds * larger))
        if kept:
            before, chain = after, (*chain, step)
    return verdicts


def _judge(change: Change) -> tuple[bool, str]:
    if change.low > 0:
        return True, "gains"
    if change.high < 0:
        return False, "surely loses"
    return True, "does not surely lose"


def chosen(verdicts: list[Verdict]) -> Chain:
    return tuple(verdict.step for verdict in verdicts if verdict.kept)


def as_table(verdicts: list[Verdict]) -> pd.DataFrame:
    """A row a step: step, kept, before, after, low, high, seconds, why."""
    rows = [verdict._asdict() | {"step": step_name(verdict.step)} for verdict in verdicts]
    return pd.DataFrame(rows)[["step", "kept", "before", "after", "low", "high", "seconds", "why"]].round(2)


def as_yaml(chain: Chain) -> str:
    """To be pasted into a configuration."""
    steps = [{"step": step.step} | step.model_dump(mode="json", exclude_defaults=True, exclude={"step"}) for step in chain]
    return yaml.safe_dump({"rerank": steps}, sort_keys=False)


def report(verdicts: list[Verdict], measure: str) -> None:
    """Print what was kept, what was dropped and why."""
    for verdict in verdicts:
        numbers = ""
        if not np.isnan(verdict.before):
            change = f"{verdict.low:+.2f} to {verdict.high:+.2f}"
            numbers = f": {measure} {verdict.before:.2f} -> {verdict.after:.2f}, 95 % interval of the change {change}"
        saved = "" if verdict.kept or np.isnan(verdict.seconds) else f"; saves about {verdict.seconds:.1f} s"
        say(f"auto: {'kept   ' if verdict.kept else 'dropped'} {step_name(verdict.step)}{numbers} ({verdict.why}{saved})")
