"""The learned fusion of the step fuse: trained on pseudo-queries, believed where its gain is sure, applied to the candidates."""

from __future__ import annotations

import io
import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from landmarks.config.chain import verifies
from landmarks.metrics.bootstrap import mean_interval
from landmarks.metrics.google_landmarks import relevant_places
from landmarks.models.candidate_ranker import CandidateRanker, cross_validated_scores, train_ranker
from landmarks.ops.ordering import best_first
from landmarks.progress import progress, say
from landmarks.ranking import Ranking
from landmarks.rerank.classes import share_of_known_queries
from landmarks.rerank.evidence import Evidence
from landmarks.rerank.index_owners import owners_of_index
from landmarks.rerank.parts import Parts, split_training, too_few_landmarks
from landmarks.rerank.pseudo_world import PseudoWorld, make_pseudo_world
from landmarks.rerank.steps.add_classes import AddClasses

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.fuse import Fuse

FOLDS = 3  # of the cross-validation: its models take most of the time that LightGBM takes
BLENDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # weights of the model beside the order so far, from small to nearly alone
QUERIES_PER_WEIGHT = 75  # pseudo-queries that each unit of weight asks for: of few examples trees learn too much (EXPERIMENTS.md)
MOST_EXAMPLES = 150  # candidates of a query that are learned from: the rest of 300 take twice the time and change nothing (EXPERIMENTS.md)
OVERFIT_MAP = 0.98  # of the pseudo-queries: descriptors this good on their own training images say nothing about other photos
_SAMPLES = 2000  # bootstrap draws
_SHOWN = 5  # columns that are printed, the most important ones; importances.csv has them all
_QUERIES = 1024  # whose tables are in memory at a time: 0.04 GB of 300 candidates each


class Fusion(NamedTuple):
    """score(candidate) = blend * model(evidence) - log(place among the candidates)

    announced  mAP of the pseudo-queries before and after, cross-validated, and the 95 % interval of the change; in percent
    """

    model: CandidateRanker
    blend: float
    announced: dict[str, float]


def fuse(ranking: Ranking, context: Context, settings: Fuse) -> Ranking:
    """The order stays where train is too small or overfitted, and where the gain on the pseudo-queries is not sure.

    Sure: cross-validated by landmark, its 95 % interval lies above zero. A gain within chance did not hold on real queries.
    Overfitted: descriptors trained on these very images find them all; what was learned from them cost landmarks that are not in
    train 7 points.

    Attaches `model.txt`, `fusion.json` (the blend, and the gain announced) and `importances.csv`.
    """
    parts = _parts(context, settings)
    why = too_few_landmarks(context.labels, [parts], settings.index_images)
    if why:
        say(f"fuse: {why}, so the order stays as it is")
        return ranking
    fusion = learn_fusion(make_pseudo_world(context, context.chain, parts, ranking.indices.shape[1]), settings)
    if fusion is None or len(ranking.indices) == 0:
        return ranking
    importances = fusion.model.importances()
    say("fuse: most important: " + ", ".join(f"{name} {share:.0%}" for name, share in list(importances.items())[:_SHOWN]))
    context.attach("model.txt", fusion.model.text)
    context.attach("fusion.json", json.dumps({"blend": fusion.blend, "announced": fusion.announced}) + "\n")
    table = io.StringIO()
    pd.DataFrame(importances.items(), columns=["column", "share"]).round(4).to_csv(table, index=False)
    context.attach("importances.csv", table.getvalue())
    evidence = Evidence(ranking, context, settings.classifier)
    ordered = np.empty_like(ranking.indices)
    with progress(None, "order candidates", "query", total=len(ordered)) as bar:
        for start in range(0, len(ordered), _QUERIES):
            queries = np.arange(start, min(start + _QUERIES, len(ordered)))
            scores = fusion.model.scores(evidence.table(queries))
            ordered[queries] = ordered_by(evidence.candidates[queries], scores, fusion.blend, ordered.shape[1])
            bar.update(len(queries))
    return ranking.with_order(ordered)


def _parts(context: Context, settings: Fuse) -> Parts:
    """Training images hidden in the real index; behind a step that verifies, and for one landmark, of training images alone.

    What a similarity, a neighbour or a label is worth depends on how deep train and index are. In a world of training images alone
    neither is as deep as the real one (EXPERIMENTS.md), but index images have local features only where real queries found them.
    """
    if verifies(context.chain) or context.classes < 2:
        return split_training(context.labels, None, settings.draw_of_train_alone)
    settings_of_classes = next((step for step in context.chain if isinstance(step, AddClasses)), AddClasses())
    known = share_of_known_queries(context, settings_of_classes)
    draw = settings.draw() if known is None else settings.draw(1 - known)
    return split_training(context.labels, owners_of_index(context), draw)


def learn_fusion(world: PseudoWorld, settings: Fuse) -> Fusion | None:
    """None where nothing can be learned, or its gain is not sure; says which, and what is announced."""
    landmarks, width = np.unique(world.query_labels), world.ranking.indices.shape[1]
    before = world.average_precision(world.ranking.indices)
    if before.mean() > OVERFIT_MAP:
        say(
            f"fuse: the mAP of {len(before)} pseudo-queries is {100 * before.mean():.2f} already: the descriptors are overfitted to the "
            "training images, and nothing can be learned from them, so the order stays as it is"
        )
        return None
    evidence = Evidence(world.ranking, world.context, settings.classifier)
    table, candidates = evidence.table(np.arange(len(before))), evidence.candidates
    judged = world.judged(candidates)
    relevant = relevant_places(candidates, *world.truth)
    train = partial(
        train_ranker,
        names=evidence.names,
        objective=settings.objective,
        trees=settings.trees,
        leaves=settings.leaves,
        learning_rate=settings.learning_rate,
    )
    folds = np.random.default_rng(settings.seed).permutation(len(landmarks))[np.searchsorted(landmarks, world.query_labels)] % FOLDS
    learned = examples(judged, relevant, np.random.default_rng(settings.seed))
    rows = learned[candidates >= 0], relevant[candidates >= 0]
    scores = cross_validated_scores(table, *rows, (candidates >= 0).sum(axis=1), folds, train)
    blends = [blend for blend in BLENDS if blend == BLENDS[0] or blend * QUERIES_PER_WEIGHT <= len(before)]
    after = np.stack([world.average_precision(ordered_by(candidates, scores, blend, width)) for blend in blends], axis=1)
    intervals = mean_interval(after - before[:, None], _SAMPLES)
    best = int(np.argmax(intervals[0]))
    is_sure = bool(intervals[0, best] > 0)
    _report(before, after[:, best], intervals[:, best], ~np.isin(world.query_labels, world.context.landmark_ids), is_sure)
    if not is_sure:
        return None
    per_query = learned.sum(axis=1)
    model = train(table[rows[0]], relevant[learned], per_query[per_query > 0])
    numbers = before.mean(), after[:, best].mean(), *intervals[:, best]
    announced = {name: round(100 * float(value), 2) for name, value in zip(("before", "after", "low", "high"), numbers, strict=True)}
    return Fusion(model, blends[best], announced)


def examples(judged: np.ndarray, relevant: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which of the judged candidates (n_query, n) bool are learned from: of each query at most MOST_EXAMPLES, as (n_query, n) bool.

    The relevant ones come first, then the others of the first places, then others at random: what matters is the order of the first.
    """
    first = np.arange(judged.shape[1]) < MOST_EXAMPLES // 2
    importance = rng.random(judged.shape) + first + 2 * relevant
    importance[~judged] = -1
    chosen = np.argsort(-importance, axis=1, kind="stable")[:, :MOST_EXAMPLES]
    learned = np.zeros(judged.shape, bool)
    np.put_along_axis(learned, chosen, True, axis=1)
    return learned & judged


def ordered_by(candidates: np.ndarray, scores: np.ndarray, blend: float, width: int) -> np.ndarray:
    """The first `width` of each query's candidates by the model's scores and their places, (n_query, width) int32, -1 = none.

    candidates  (n_query, n) int32 in the order so far, -1 = none; scores: one a candidate that there is, query after query
    blend       weight of the scores beside -log(place), 1 = first: a few examples move the order a little, not at all costs
    """
    table = np.tile(-np.log(np.arange(1, candidates.shape[1] + 1)), (len(candidates), 1))
    table[candidates >= 0] += blend * scores
    best = best_first(candidates, table)[0][:, :width]
    return np.pad(best, ((0, 0), (0, width - best.shape[1])), constant_values=-1)


def _report(before: np.ndarray, after: np.ndarray, interval: np.ndarray, unknown: np.ndarray, is_sure: bool) -> None:
    def change(these: np.ndarray) -> str:
        return f"{100 * before[these].mean():.2f} -> {100 * after[these].mean():.2f}" if these.any() else "none"

    say(
        f"fuse: mAP of {len(before)} pseudo-queries, cross-validated by landmark: {change(np.full(len(before), True))}, "
        f"95 % interval of the change {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
        f" (landmarks in the pseudo-train set: {change(~unknown)}; not in it: {change(unknown)})"
        + ("" if is_sure else "; no gain beyond chance, so the order stays as it is")
    )
