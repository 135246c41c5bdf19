"""The learned fusion of the step fuse: trained on pseudo-queries, believed where its gain is sure, applied to the candidates."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import average_precision, relevant_places
from landmarks.models.candidate_ranker import CandidateRanker, cross_validated_scores, train_ranker
from landmarks.ops.ordering import best_first
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.rerank.evidence import Evidence
from landmarks.rerank.pseudo_world import PseudoWorld, make_pseudo_world, split_training

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.fuse import Fuse

FOLDS = 5
OVERFIT_MAP = 0.98  # of the pseudo-queries: descriptors this good on their own training images say nothing about other photos
_SHOWN = 5  # columns that are printed, the most important ones; importances.csv has them all
_QUERIES = 1024  # whose tables are in memory at a time: 0.04 GB of 300 candidates each


def fuse(ranking: Ranking, context: Context, settings: Fuse) -> Ranking:
    """The order stays where train is too small or overfitted, and where the model's gain on the pseudo-queries is not sure.

    Sure: cross-validated by landmark, its 95 % interval lies above zero. A gain within chance did not hold on real queries.
    Overfitted: descriptors trained on these very images find them all; what was learned from them cost landmarks that are not in
    train 7 points.

    Attaches `model.txt` and `importances.csv`.
    """
    parts = split_training(context.labels, settings)
    landmarks = len(np.unique(context.labels[parts.test]))
    if landmarks < FOLDS:
        say(f"fuse: {landmarks} landmarks of train have three images or more, too few to learn from, so the order stays as it is")
        return ranking
    model = _learn(make_pseudo_world(context, context.chain, parts, ranking.indices.shape[1]), settings)
    if model is None or len(ranking.indices) == 0:
        return ranking
    importances = model.importances()
    say("fuse: most important: " + ", ".join(f"{name} {share:.0%}" for name, share in list(importances.items())[:_SHOWN]))
    context.attach("model.txt", model.text)
    table = io.StringIO()
    pd.DataFrame(importances.items(), columns=["column", "share"]).round(4).to_csv(table, index=False)
    context.attach("importances.csv", table.getvalue())
    evidence = Evidence(ranking, context, settings.classifier)
    ordered = np.empty_like(ranking.indices)
    with progress(None, "order candidates", "query", total=len(ordered)) as bar:
        for start in range(0, len(ordered), _QUERIES):
            queries = np.arange(start, min(start + _QUERIES, len(ordered)))
            ordered[queries] = _ordered(evidence.candidates[queries], model.scores(evidence.table(queries)), ordered.shape[1])
            bar.update(len(queries))
    return ranking.with_order(ordered)


def _learn(world: PseudoWorld, settings: Fuse) -> CandidateRanker | None:
    landmarks, width = np.unique(world.query_labels), world.ranking.indices.shape[1]
    before = average_precision(world.ranking.indices, *world.truth)
    if before.mean() > OVERFIT_MAP:
        say(
            f"fuse: the mAP of {len(before)} pseudo-queries is {100 * before.mean():.2f} already: the descriptors are overfitted to the "
            "training images, and nothing can be learned from them, so the order stays as it is"
        )
        return None
    evidence = Evidence(world.ranking, world.context, settings.classifier)
    table, present = evidence.table(np.arange(len(world.query_labels))), evidence.candidates >= 0
    relevant, per_query = relevant_places(evidence.candidates, *world.truth)[present], present.sum(axis=1)
    train = partial(
        train_ranker,
        names=evidence.names,
        objective=settings.objective,
        trees=settings.trees,
        leaves=settings.leaves,
        learning_rate=settings.learning_rate,
    )
    folds = np.random.default_rng(settings.seed).permutation(len(landmarks))[np.searchsorted(landmarks, world.query_labels)] % FOLDS
    scores = cross_validated_scores(table, relevant, per_query, folds, train)
    after = average_precision(_ordered(evidence.candidates, scores, width), *world.truth)
    is_sure = mean_interval((after - before)[:, None])[0, 0] > 0
    _report(before, after, ~np.isin(world.query_labels, world.context.landmark_ids), is_sure)
    return train(table, relevant, per_query) if is_sure else None


def _ordered(candidates: np.ndarray, scores: np.ndarray, width: int) -> np.ndarray:
    """The first `width` of each query's candidates by `scores` (one a candidate), (n_query, width) int32, -1 = none."""
    table = np.zeros(candidates.shape)
    table[candidates >= 0] = scores
    best = best_first(candidates, table)[0][:, :width]
    return np.pad(best, ((0, 0), (0, width - best.shape[1])), constant_values=-1)


def _report(before: np.ndarray, after: np.ndarray, unknown: np.ndarray, is_sure: bool) -> None:
    def change(these: np.ndarray) -> str:
        return f"{100 * before[these].mean():.2f} -> {100 * after[these].mean():.2f}" if these.any() else "none"

    say(
        f"fuse: mAP of {len(before)} pseudo-queries, cross-validated by landmark: {change(np.full(len(before), True))}"
        f" (landmarks in the pseudo-train set: {change(~unknown)}; not in it: {change(unknown)})"
        + ("" if is_sure else "; no gain beyond chance, so the order stays as it is")
    )
