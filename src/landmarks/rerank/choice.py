"""Which steps a chain should have, chosen on pseudo-queries: training images, without a look at the solution file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from landmarks.config.chain import Chain
from landmarks.metrics.bootstrap import mean_interval
from landmarks.rerank.classes import MOST_NEIGHBOURS
from landmarks.rerank.index_owners import IndexDepth, index_depth, owners_of_index
from landmarks.rerank.parts import FEWEST_LANDMARKS, Draw, Parts, split_training, times_larger, too_few_landmarks
from landmarks.rerank.pseudo_world import make_pseudo_world
from landmarks.rerank.steps.add_classes import AddClasses
from landmarks.rerank.steps.add_communities import AddCommunities
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.steps.augment_database import AugmentDatabase
from landmarks.rerank.steps.diffuse import Diffuse
from landmarks.rerank.steps.discriminate import Discriminate
from landmarks.rerank.steps.expand_query import ExpandQuery
from landmarks.rerank.steps.fuse import Fuse
from landmarks.rerank.steps.verify import Verify
from landmarks.rerank.verdict import SAMPLES, Change, Verdict, chosen, try_steps

if TYPE_CHECKING:
    from landmarks.rerank.context import Context

COMMUNITY = 300  # index images to one of the resolution: between 160 and 950 they gained about as much (EXPERIMENTS.md)
WITH_TRAIN: Chain = (Discriminate(), AddLabels())
WHERE_DEEP: Chain = (ExpandQuery(reach=10), AugmentDatabase(mutual=True, neighbours=3), AddClasses())
AVERAGES: Chain = WHERE_DEEP[:2]
WHERE_THIN: Chain = WHERE_DEEP[:1]  # gained, or cost nothing, at every depth
VERIFY = Verify(top=100, weight=0.4)  # of configs/delg_photos.yaml
DRAWS = 3  # pseudo-worlds: one has too few queries where landmarks have few training images
DIFFUSED = 11  # index images that surely show a landmark, from which on diffusion gained (EXPERIMENTS.md)
DEEP = 20  # index images that seem to show a landmark, from which on these steps gain where nothing can be measured (EXPERIMENTS.md)
FEWEST_IMAGES = 5  # training images a landmark: with three, a pseudo-world keeps one, and took steps for losing that gain (EXPERIMENTS.md)
# Of the pseudo-queries: where the steps that learn do not surely gain either, labels and descriptors do not belong together.
UNSEEN_MAP = 0.1
OVERFIT_MAP = 0.95  # of the pseudo-queries: nearly all is found already, and steps that gained there lost on the sample's real queries


def choose(context: Context, draw: Draw, neighbours: int, protocol: str = "retrieval") -> list[Verdict]:
    """A verdict on every step in the order of the chain, by its change of the pseudo-queries of DRAWS pseudo-worlds.

    A step is dropped where it surely loses: where the 95 % interval of the change lies below zero. The chain of all of them did best on
    other data, and what averages gain is underestimated in a pseudo-world (EXPERIMENTS.md).
    Where nothing can be measured, steps are kept by what other data showed, and the verdict says so.

    protocol  of the scores: "places" counts the first image of a list alone, which the steps for whole lists cost
    """
    if protocol == "places":
        why = "gains further down the list, and costs Recall@1, most where a place has few photos"
        return [*(Verdict(step, False, why) for step in without_train(len(context.base.index))), *_last(context)]
    if context.classes < 2:
        why = "train has no two landmarks: nothing can be learned"
        return [*_without_train(context, why), *_last(context)]
    unmeasured = [Verdict(step, True, "gained on every set that it was measured on") for step in WITH_TRAIN]
    owners, depth = owners_of_index(context), index_depth(context)
    images = float(np.median(np.bincount(context.labels)))
    few = f"landmarks have {images:.0f} training images: too few to measure on, and it gained on other sets"
    by_other_sets = [Verdict(step, True, few) for step in (*WHERE_DEEP, *diffusion(depth))]
    worlds = [split_training(context.labels, owners, replace(draw, seed=draw.seed + number)) for number in range(DRAWS)]
    why = too_few_landmarks(context.labels, worlds, draw.index_images)
    if why and context.classes < FEWEST_LANDMARKS:
        return [*unmeasured, *_averages(why), *_last(context)]
    if why:
        return [*unmeasured, *(by_other_sets if images < FEWEST_IMAGES else _by_depth(depth, why)), *_last(context)]
    tried = _tried(context, context.chain, WITH_TRAIN, worlds, neighbours)
    if tried[-1].after < 100 * UNSEEN_MAP and not any(verdict.low > 0 for verdict in tried):
        why = f"train's labels are not seen in the descriptors (mAP {tried[-1].after:.2f}; are they wrong?): nothing can be learned"
        return [*(verdict._replace(kept=False, why=why) for verdict in tried), *_without_train(context, why), *_last(context)]
    overfit = _score(context, (*context.chain, *WITH_TRAIN), worlds, neighbours).mean()
    if overfit > OVERFIT_MAP:
        why = f"the descriptors are overfitted to the training images (mAP {100 * overfit:.2f}): nothing can be measured on them"
        return [*unmeasured, *_by_depth(depth, why), *_last(context)]
    if images < FEWEST_IMAGES:
        return [*unmeasured, *by_other_sets, *_last(context)]
    tried += _tried(context, (*context.chain, *chosen(tried)), (*WHERE_DEEP, *diffusion(depth)), worlds, neighbours)
    return [*tried, *_last(context)]


def without_train(index_images: int) -> Chain:
    """The steps where nothing can be learned; communities are as large in a larger index."""
    return (WHERE_DEEP[0], AddCommunities(resolution=max(1, round(index_images / COMMUNITY))))


def diffusion(depth: IndexDepth) -> Chain:
    """Diffusion among as many neighbours as there are index images that seem to show a landmark; none where it has few.

    With classes in the vectors and without: each graph has its own mistakes (EXPERIMENTS.md).
    """
    if depth.images < DIFFUSED:
        return ()
    among = min(MOST_NEIGHBOURS, max(1, round(depth.alike)))
    return (Diffuse(neighbours=among, power=3.0, candidates=300, weight=0.5, earlier=True),)


def _tried(context: Context, chain: Chain, steps: Chain, worlds: list[Parts], neighbours: int) -> list[Verdict]:
    landmarks = len(np.unique(np.concatenate([context.labels[parts.test] for parts in worlds])))
    return try_steps(
        chain,
        steps,
        lambda so_far: _score(context, so_far, worlds, neighbours),
        _change,
        on=f"pseudo-queries of {landmarks} landmarks",
        larger=times_larger(len(context.base.index), worlds),
    )


def _change(before: np.ndarray, after: np.ndarray) -> Change:
    low, high = mean_interval(100 * (after - before)[:, None], SAMPLES)[:, 0]
    return Change(100 * before.mean(), 100 * after.mean(), low, high)


def _score(context: Context, chain: Chain, worlds: list[Parts], neighbours: int) -> np.ndarray:
    """Mean average precision behind a chain of each landmark's pseudo-queries in all worlds; the same photos play a part in several."""
    made = [make_pseudo_world(context, chain, parts, neighbours) for parts in worlds]
    precision = np.concatenate([world.average_precision(world.ranking.indices) for world in made])
    _, landmarks = np.unique(np.concatenate([world.query_labels for world in made]), return_inverse=True)
    return np.bincount(landmarks, precision) / np.bincount(landmarks)


def _without_train(context: Context, why: str) -> list[Verdict]:
    return [Verdict(step, True, f"{why}; it gained on other sets") for step in without_train(len(context.base.index))]


def _averages(why: str) -> list[Verdict]:
    words = {True: "it gained on other sets", False: "it cost where train knew few of the landmarks"}
    return [Verdict(step, step in AVERAGES, f"{why}; {words[step in AVERAGES]}") for step in WHERE_DEEP]


def _by_depth(depth: IndexDepth, why: str) -> list[Verdict]:
    enough = f"{why}; a landmark has about {depth.alike:.0f} index images, {'' if depth.alike >= DEEP else 'not '}enough for it"
    thin = [Verdict(step, True, f"{why}; it gained or cost nothing on other sets") for step in WHERE_THIN]
    deep = [Verdict(step, depth.alike >= DEEP, enough) for step in WHERE_DEEP[len(WHERE_THIN) :]]
    return [*thin, *deep]


def _last(context: Context) -> list[Verdict]:
    """What is not measured beforehand: verification, whose local features are made for the chain, and the fusion."""
    fusion = Verdict(Fuse(), False, "behind add_classes it gained nothing on average, for a third of the chain's time")
    if context.count_inliers is None:
        return [fusion]
    return [Verdict(VERIFY, True, "a model has local features; gained where it was measured"), fusion]
