"""Which steps a chain should have whose vectors recognise landmarks, chosen on training images: some held out as queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.config import RecognizeSettings
from landmarks.config.chain import Chain
from landmarks.metrics.bootstrap import statistic_interval
from landmarks.metrics.recognition import resampled_precisions
from landmarks.rerank.choice import DRAWS, FEWEST_IMAGES
from landmarks.rerank.index_owners import owners_of_index
from landmarks.rerank.landmark_votes import landmark_votes, voters_and_others
from landmarks.rerank.parts import Draw, Parts, split_training, times_larger, too_few_landmarks
from landmarks.rerank.pseudo_world import make_pseudo_world
from landmarks.rerank.steps.add_classes import AddClasses
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.steps.discriminate import Discriminate
from landmarks.rerank.steps.expand_query import ExpandQuery
from landmarks.rerank.verdict import SAMPLES, Change, Verdict, try_steps

if TYPE_CHECKING:
    from landmarks.rerank.context import Context

UNMEASURED: Chain = (Discriminate(), AddLabels())  # both together gained or cost nothing on every set; the others cost 0.4 on the sample
WHERE_KNOWN: Chain = (AddClasses(),)  # behind four images of each landmark that vote it cost up to 2.2 points, and nothing showed it
TRIED: Chain = (*UNMEASURED, ExpandQuery(reach=10), *WHERE_KNOWN)  # in these vectors queries are searched in train
OVERFIT_GAP = 0.95  # of the pseudo-queries: nearly all are right already


class Recognised(NamedTuple):
    """Of the pseudo-queries of one pseudo-world (n,): whether the prediction is right, its confidence, whether the landmark is known.

    subjects  numbers of the landmarks; an image that shows none is a subject of its own
    """

    right: np.ndarray
    confidences: np.ndarray
    answerable: np.ndarray
    subjects: np.ndarray


def choose_for_recognition(context: Context, draw: Draw, neighbours: int, settings: RecognizeSettings) -> list[Verdict]:
    """A verdict on every step in the order of the chain, by its change of the pseudo-queries' GAP in DRAWS pseudo-worlds.

    Pseudo-queries of landmarks that the pseudo-train set does not know, and held-out images of settings.non_landmark_ids, are the
    distractors. Cosines alone vote, whatever settings.verify is, and no landmark is demoted: there are fewer queries than in truth.
    A step is dropped where it surely loses. Steps that only order the lists are not tried: predictions do not change by them.
    Raises UserError where train has no image of one of settings.non_landmark_ids.
    """
    others = voters_and_others(context, settings.non_landmark_ids)[1]
    if context.classes < 2:
        return [Verdict(step, False, "train has no two landmarks: nothing can be learned") for step in TRIED]
    labels, owners = context.labels.copy(), owners_of_index(context).copy()
    owners[np.isin(owners, labels[others])] = -1  # an index image that shows none is one of no landmark
    labels[others] = -1
    worlds = [_parts(labels, owners, replace(draw, seed=draw.seed + number)) for number in range(DRAWS)]
    why = too_few_landmarks(labels, worlds, draw.index_images)
    if why:
        return _unmeasured(why)
    settings = settings.model_copy(update={"frequent": 0, "verify": False})

    def run(chain: Chain) -> list[Recognised]:
        return [_recognised(context, chain, parts, neighbours, settings) for parts in worlds]

    landmarks = len(np.unique(np.concatenate([labels[parts.test][labels[parts.test] >= 0] for parts in worlds])))
    larger = times_larger(len(context.base.index), worlds)
    images = float(np.median(np.unique(labels[labels >= 0], return_counts=True)[1]))
    steps = TRIED if images >= FEWEST_IMAGES else TRIED[: -len(WHERE_KNOWN)]
    tried = try_steps(context.chain, steps, run, _change, on=f"pseudo-queries of {landmarks} landmarks", larger=larger)
    last = next((one.after for one in reversed(tried) if one.kept), tried[0].before)
    if last > 100 * OVERFIT_GAP:
        why = f"the descriptors are overfitted to the training images (GAP {last:.2f}): nothing can be measured on them"
        return _unmeasured(why)
    why = f"landmarks have {images:.0f} training images, and with so few it lost more than it gained on other sets"
    return [*tried, *(Verdict(step, False, why) for step in TRIED[len(steps) :])]


def _unmeasured(why: str) -> list[Verdict]:
    words = {True: "it gained on most other sets", False: "on other sets it gained or lost"}
    return [Verdict(step, step in UNMEASURED, f"{why}; {words[step in UNMEASURED]}") for step in TRIED]


def _parts(labels: np.ndarray, owners: np.ndarray, draw: Draw) -> Parts:
    """As of `split_training`; of the images that show no landmark (label -1) as large a share has a part as of the others."""
    parts = split_training(labels, owners, draw)
    rng, none = np.random.default_rng(draw.seed), np.flatnonzero(labels < 0)
    share = sum(map(len, parts.all_rows[:3])) / max(1, len(labels) - len(none))
    none = rng.permutation(none)[: round(share * len(none))]
    queries = round(draw.query_share * len(none))
    return replace(parts, train=np.union1d(parts.train, none[queries:]), test=np.union1d(parts.test, none[:queries]))


def _recognised(context: Context, chain: Chain, parts: Parts, neighbours: int, settings: RecognizeSettings) -> Recognised:
    world = make_pseudo_world(context, chain, parts, neighbours)
    known = np.unique(world.context.landmark_ids)  # labels of the real context are the landmarks' numbers there
    none = np.flatnonzero(np.isin(np.unique(context.landmark_ids), settings.non_landmark_ids))
    present = tuple(np.intersect1d(none, known).tolist())
    votes = landmark_votes(world.context, world.context.space(world.ranking), settings.model_copy(update={"non_landmark_ids": present}))
    predicted = np.append(known, -1)[votes.labels]
    answerable = np.isin(world.query_labels, np.setdiff1d(known, none))
    subjects = np.where(np.isin(world.query_labels, none), context.classes + parts.test, world.query_labels)
    right = answerable & (predicted == world.query_labels)
    return Recognised(right, np.where(votes.labels >= 0, votes.scores, -np.inf), answerable, subjects)


def _change(before: list[Recognised], after: list[Recognised]) -> Change:
    """By the bootstrap over landmarks, drawn with their pseudo-queries in all pseudo-worlds; GAP is the mean over these."""
    landmarks = np.unique(np.concatenate([one.subjects for one in before]))
    places = [np.searchsorted(landmarks, one.subjects) for one in before]

    def gap(made: list[Recognised], counts: np.ndarray) -> np.ndarray:
        worlds = [
            resampled_precisions(one.right, one.confidences, one.answerable, counts[:, rows])
            for one, rows in zip(made, places, strict=True)
        ]
        return 100 * np.mean(worlds, axis=0)

    def change(counts: np.ndarray) -> np.ndarray:
        return (gap(after, counts) - gap(before, counts))[:, None]

    once = np.ones((1, len(landmarks)))
    low, high = statistic_interval(change, (len(landmarks), 1), SAMPLES)[:, 0]
    return Change(float(gap(before, once)[0]), float(gap(after, once)[0]), low, high)
