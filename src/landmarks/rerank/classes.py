"""The vectors of the step add_classes: how known every image is, which landmark of train it shows, and which community it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landmarks.ops.communities import find_communities, mutual_graph
from landmarks.ops.how_known import how_known, learn_log_odds, share_of_known
from landmarks.ops.known_labels import combine, on_scale, own_share, side_by_side, without_label
from landmarks.ops.label_spread import LabelDistributions, class_axes, joint_neighbours, no_labels, spread_from_index, spread_labels
from landmarks.ops.vectors import CACHE_ROWS
from landmarks.ranking import Space
from landmarks.rerank.classifier import Classifier, closed_form_classifier
from landmarks.rerank.vectors import discriminant_space, labels_of_train, neighbours_of_both, space_with_labels
from landmarks.store.tables import SPLITS

if TYPE_CHECKING:
    from landmarks.rerank.context import Context
    from landmarks.rerank.steps.add_classes import AddClasses

DIMENSIONS = 256  # of the discriminant, as in the step discriminate
_SAMPLE = 5000  # training images from whose shares it is learned how known an image is
_WIDER = 4  # times as many training images are searched for them: those of their own landmark are left out
_SHARE = "share of known queries"  # in what a context keeps
MOST_NEIGHBOURS = 100  # of an index image that diffusion passes similarity to in the chain of auto
_EDGES, _EDGE_POWER, _NEAREST, _COMMUNITIES = 20, 3.0, 10, 10  # of the communities: those of the step add_communities


class Known(NamedTuple):
    """labels: label shares of every split's images; known: how known these are, (n,) float32 from 0 to 1.

    share  of the queries that show a landmark that train knows, as they seem to; None where too little can be learned
    """

    labels: dict[str, LabelDistributions]
    known: dict[str, np.ndarray]
    share: float | None


def space_with_classes(space: Space, context: Context, settings: AddClasses) -> Space:
    """The vectors (n, d) of each split with labels and communities joined: (n, d + dimensions of both) float16, L2-normalised."""
    labels, known, share = known_labels(context, settings)
    context.once((_SHARE, settings), lambda: share)
    depth = max(1.0, float(labels["index"].shares.sum()) / context.classes)
    context.nearest(space, "index", "index", min(MOST_NEIGHBOURS, max(_EDGES, round(1.5 * depth))))  # diffuse asks for so many later
    communities, count = community_shares(space, context, max(1.0, len(space.index) / (settings.members * depth)))
    classifier = closed_form_classifier(context, settings.kept)
    ratio = np.float32(settings.community_weight / settings.weight) ** 0.5
    joined = {}
    for split in SPLITS:
        own = labels[split] if split == "train" else _combined(labels[split], context, split, classifier, settings.floor)
        k = known[split][:, None]
        own = LabelDistributions(own.labels, own.shares * k**2)
        found = LabelDistributions(communities[split].labels, communities[split].shares * ratio * (1 - k))
        joined[split] = side_by_side(own, found, context.classes)
    of_labels, of_communities = (class_axes(number, settings.dimensions) for number in (context.classes, count))
    axes = np.zeros((context.classes + count, of_labels.shape[1] + of_communities.shape[1]), np.float32)
    axes[: context.classes, : of_labels.shape[1]] = of_labels
    axes[context.classes :, of_labels.shape[1] :] = of_communities
    return space_with_labels(space, context, joined, axes, settings.weight)


def share_of_known_queries(context: Context, settings: AddClasses) -> float | None:
    """`Known.share` by these settings; the step add_classes has left it behind."""
    return context.once((_SHARE, settings), lambda: known_labels(context, settings).share)


def known_labels(context: Context, settings: AddClasses) -> Known:
    """Training images have their own label, and are known.

    Two rounds of spreading in the space of train's discriminant, after each of which the shares are divided by those that training images
    would have of their own label. Only the first round leaves these out wholly: in the second they are no neighbours of themselves, but
    the index images around them have shares of their label from them.
    How known an image is: the mean of the sum of its shares and of what is learned (ops/how_known.py) from the sums that training images
    have, and would have if train did not know their landmark, with the share of known landmarks among the queries. Where too few
    landmarks have two images to learn from, it is the sum of the shares.
    """
    space = discriminant_space(context, DIMENSIONS)
    joint = {split: neighbours_of_both(space, context, split, settings) for split in ("index", "test")}
    sample = np.sort(np.random.default_rng(settings.seed).permutation(len(space.train))[:_SAMPLE])
    labels = context.labels[sample]
    with_own, without = _neighbours_of_sample(context, space, sample, settings)

    def spread(near: tuple[np.ndarray, np.ndarray], index: LabelDistributions | None) -> LabelDistributions:
        return spread_labels(*near, context.labels, index, settings.kept)

    first = on_scale(spread(joint["index"], None), own_share(spread(with_own, None), labels))
    of_sample, second = spread(with_own, first), {split: spread(near, first) for split, near in joint.items()}
    scaled = {split: on_scale(shares, own_share(of_sample, labels)) for split, shares in second.items()}
    has_others = np.bincount(context.labels)[labels] > 1
    left_out = without_label(spread(without, first), labels).shares.sum(axis=1)
    known = {split: shares.shares.sum(axis=1) for split, shares in scaled.items()}
    share, learned = None, learn_log_odds(of_sample.shares.sum(axis=1)[has_others], left_out)
    if learned is not None:
        log_odds = {split: learned[0] * shares.shares.sum(axis=1) + learned[1] for split, shares in second.items()}
        share = share_of_known(log_odds["test"])
        known = {split: (known[split] + how_known(odds, share)) / 2 for split, odds in log_odds.items()}
    every = {"train": labels_of_train(context), **scaled}
    return Known(every, {"train": np.ones(len(space.train), np.float32), **known}, share)


def community_shares(space: Space, context: Context, resolution: float) -> tuple[dict[str, LabelDistributions], int]:
    """Shares of the index's communities among every image's nearest index images, and how many communities there are.

    Images alone in theirs, and training images, have none.
    """
    near, similarities = context.nearest(space, "index", "index", _EDGES)
    found = find_communities(mutual_graph(near, similarities, _EDGE_POWER), resolution)
    groups = np.flatnonzero(np.bincount(found, minlength=1) > 1)
    number = np.full(int(found.max(initial=0)) + 1, -1, np.int32)
    number[groups] = np.arange(len(groups))
    member = number[found]
    own = LabelDistributions(member[:, None], (member >= 0)[:, None].astype(np.float32))
    shares = {"train": no_labels(len(space.train))}
    for split in ("index", "test"):
        shares[split] = spread_from_index(context.nearest(space, split, "index", _NEAREST), own, _NEAREST, _EDGE_POWER, _COMMUNITIES)
    return shares, len(groups)


def _neighbours_of_sample(
    context: Context, space: Space, sample: np.ndarray, settings: AddClasses
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Of these training images (m,), what `joint_neighbours` returns: without themselves, and without all images of their landmark."""
    rows, count = space.train[sample], settings.neighbours
    near, similarities = context.search_vectors(rows, space.train, _WIDER * count + 1, "search train in train")
    index = context.search_vectors(rows, space.index, count, "search train in index")
    labels = context.labels[sample][:, None]

    def without(left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        train = np.where(left_out, -1, near), np.where(left_out, -np.inf, similarities)
        return joint_neighbours(train, index, count, settings.power)

    return without(near == sample[:, None]), without(context.labels[near] == labels)


def _combined(spread: LabelDistributions, context: Context, split: str, classifier: Classifier, floor: float) -> LabelDistributions:
    descriptors, shares = context.descriptors(split), np.empty_like(spread.shares)
    for start in range(0, len(shares), CACHE_ROWS):
        part = slice(start, start + CACHE_ROWS)
        output = classifier(descriptors[part])
        combined = combine(LabelDistributions(spread.labels[part], spread.shares[part]), output.labels, output.probabilities, floor)
        shares[part] = combined.shares
    return LabelDistributions(spread.labels, shares)
