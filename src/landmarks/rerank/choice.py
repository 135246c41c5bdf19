"""Which steps a chain should have, chosen on pseudo-queries: training images, without a look at the solution file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from landmarks.config.chain import Chain, step_name, verifies
from landmarks.config.step import Step
from landmarks.metrics.bootstrap import mean_interval
from landmarks.progress import say
from landmarks.rerank.fusion import FEWEST_LANDMARKS
from landmarks.rerank.parts import Draw, Parts, owners_of_index, split_training
from landmarks.rerank.pseudo_world import make_pseudo_world
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.steps.augment_database import AugmentDatabase
from landmarks.rerank.steps.diffuse import Diffuse
from landmarks.rerank.steps.discriminate import Discriminate
from landmarks.rerank.steps.expand_query import ExpandQuery
from landmarks.rerank.steps.fuse import MAX_CANDIDATES, Fuse

if TYPE_CHECKING:
    from landmarks.rerank.context import Context

WITHOUT_TRAIN: Chain = (ExpandQuery(power=3),)  # as Yokoo et al. have it; it gained on every set here
# They gained on every set (EXPERIMENTS.md).
WITH_TRAIN: Chain = (Discriminate(), AddLabels())
TRIED: Chain = (AugmentDatabase(), ExpandQuery(), Diffuse())
DEEP = 20  # index images a landmark, from which on averages with neighbours gain where nothing can be measured (EXPERIMENTS.md)
OVERFIT_MAP = 0.95  # of the pseudo-queries: nearly all is found already, and steps that gained there lost on the sample's real queries
_SAMPLES = 2000  # bootstrap draws


class Verdict(NamedTuple):
    """On one step; before, after: mAP of the pseudo-queries in percent; low, high: 95 % interval of the change; NaN = not tried."""

    step: Step
    kept: bool
    why: str
    before: float = np.nan
    after: float = np.nan
    low: float = np.nan
    high: float = np.nan


def choose(context: Context, draw: Draw, neighbours: int) -> list[Verdict]:
    """A verdict on every step in the order of the chain, by its gain on the pseudo-queries.

    The steps of WITH_TRAIN are kept unless they surely lose, those of TRIED where they surely gain: sure is a change whose 95 % interval
    excludes zero. Where nothing can be measured, steps are kept by what other data showed, and the verdict says so.
    """
    if context.classes < 2:
        return [Verdict(step, True, "train has no two landmarks: nothing can be learned") for step in WITHOUT_TRAIN]
    unmeasured = [Verdict(step, True, "gained on every set that it was measured on") for step in WITH_TRAIN]
    owners = None if verifies(context.chain) else owners_of_index(context)
    parts = split_training(context.labels, owners, draw)
    landmarks = len(np.unique(context.labels[parts.test]))
    if landmarks < FEWEST_LANDMARKS:
        return unmeasured + _by_depth(
            owners, context.classes, f"{landmarks} landmarks with three training images are too few to measure on"
        )
    chain: Chain = context.chain
    before = _score(context, chain, parts, neighbours)
    overfit = _score(context, (*chain, *WITH_TRAIN), parts, neighbours).mean()
    if overfit > OVERFIT_MAP:
        why = f"the descriptors are overfitted to the training images (mAP {100 * overfit:.2f}): nothing can be measured on them"
        return unmeasured + _by_depth(owners, context.classes, why)
    verdicts = []
    for step in (*WITH_TRAIN, *TRIED):
        after = _score(context, (*chain, step), parts, neighbours)
        low, high = mean_interval(100 * (after - before)[:, None], _SAMPLES)[:, 0]
        kept = bool(low > 0 or (step in WITH_TRAIN and high >= 0))
        what = "gain" if low > 0 else "loss" if high < 0 else "change"
        why = f"the {what} on {len(after)} pseudo-queries is {'not sure' if low <= 0 <= high else 'sure'}"
        verdicts.append(Verdict(step, kept, why, 100 * before.mean(), 100 * after.mean(), low, high))
        if kept:
            before, chain = after, (*chain, step)
    return [*verdicts, _fusion(neighbours)]


def _score(context: Context, chain: Chain, parts: Parts, neighbours: int) -> np.ndarray:
    """Average precision of each pseudo-query behind a chain."""
    world = make_pseudo_world(context, chain, parts, neighbours)
    return world.average_precision(world.ranking.indices)


def _by_depth(owners: np.ndarray | None, classes: int, why: str) -> list[Verdict]:
    depth = 0.0 if owners is None else float((owners >= 0).sum() / classes)
    deep = depth >= DEEP
    reason = f"{why}; a landmark has about {depth:.0f} index images, {'' if deep else 'not '}enough for averages"
    averages = [Verdict(step, deep, reason) for step in TRIED[:2]]
    return [*averages, *(Verdict(step, False, why) for step in (*TRIED[2:], Fuse()))]


def _fusion(neighbours: int) -> Verdict:
    fits = 3 * neighbours <= MAX_CANDIDATES
    return Verdict(
        Fuse(), fits, "keeps the order itself where no gain is sure" if fits else f"lists of {neighbours} images are too long for it"
    )


def chosen(verdicts: list[Verdict]) -> Chain:
    return tuple(verdict.step for verdict in verdicts if verdict.kept)


def as_table(verdicts: list[Verdict]) -> pd.DataFrame:
    """A row a step: step, kept, before, after, low, high, why."""
    rows = [verdict._asdict() | {"step": step_name(verdict.step)} for verdict in verdicts]
    return pd.DataFrame(rows)[["step", "kept", "before", "after", "low", "high", "why"]].round(2)


def report(verdicts: list[Verdict]) -> None:
    """Print what was kept, what was dropped and why."""
    for verdict in verdicts:
        numbers = ""
        if not np.isnan(verdict.before):
            change = f"{verdict.low:+.2f} to {verdict.high:+.2f}"
            numbers = f": mAP {verdict.before:.2f} -> {verdict.after:.2f}, 95 % interval of the change {change}"
        say(f"auto: {'kept   ' if verdict.kept else 'dropped'} {step_name(verdict.step)}{numbers} ({verdict.why})")
