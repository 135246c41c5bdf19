import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.ops.communities import find_communities, mutual_graph
from landmarks.ops.discriminant import learn_discriminant, learn_shrunk_whitening
from landmarks.ops.how_known import how_known, learn_log_odds, share_of_known
from landmarks.ranking import Space
from landmarks.rerank import classes as module
from landmarks.rerank.classifier import closed_form_classifier
from landmarks.rerank.context import Context
from landmarks.rerank.steps.add_classes import AddClasses

CLASSES, WIDTH = 4, 12
SETTINGS = AddClasses(neighbours=6, power=3.0, kept=4, weight=3.0, community_weight=1.5)


def images(random, owners):
    """Around one centre a landmark; the last two landmarks are not in train."""
    rows = 4 * np.eye(6, WIDTH)[owners] + random.standard_normal((len(owners), WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def world(per_landmark=5):
    random = np.random.default_rng(0)
    owners = {"train": np.repeat(np.arange(CLASSES), per_landmark), "index": np.repeat(np.arange(6), 7), "test": np.arange(6)}
    vectors = {split: images(random, owner) for split, owner in owners.items()}
    context = Context(Space.from_splits(vectors), owners["train"] * 10, vectors.__getitem__)
    return context, vectors, context.search_first(np.arange(6).astype(str), np.arange(42).astype(str), 42)


def own_space(context, vectors):
    train = vectors["train"]
    halves = learn_discriminant(train, context.labels, module.DIMENSIONS), learn_shrunk_whitening(train)
    joined = {split: np.concatenate([half(rows) for half in halves], axis=1) for split, rows in vectors.items()}
    return {split: rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True) for split, rows in joined.items()}


def known_one_by_one(context, vectors):
    """Of index and test, image by image in float64, over all training images, not a sample: dense shares (n, CLASSES), and how known."""
    space = own_space(context, vectors)
    own = np.eye(CLASSES)[context.labels]

    def spread(rows, index, train_itself=False, index_itself=False, train_landmark=False):
        result = np.zeros((len(rows), CLASSES))
        for number, row in enumerate(rows):
            near = [(row @ other, share) for other, share in zip(space["train"], own, strict=True)]
            others = [(row @ other, share) for other, share in zip(space["index"], index, strict=True)]
            near = [pair for place, pair in enumerate(near) if not (train_itself and place == number)]
            near = [pair for pair in near if not (train_landmark and pair[1][context.labels[number]])]
            near += [pair for place, pair in enumerate(others) if not (index_itself and place == number)]
            near = sorted(near, key=lambda pair: -pair[0])[: SETTINGS.neighbours]
            weights = np.array([max(similarity, 0) ** SETTINGS.power for similarity, _ in near])
            result[number] = sum(weight * share for weight, (_, share) in zip(weights / weights.sum(), near, strict=True))
        return result

    def expected(shares):
        return shares[np.arange(len(own)), context.labels].mean()

    def scaled(shares, by):
        return shares / by / np.maximum((shares / by).sum(axis=1, keepdims=True), 1)

    nothing = np.zeros((len(space["index"]), CLASSES))
    by = expected(spread(space["train"], nothing, train_itself=True))
    first = scaled(spread(space["index"], nothing, index_itself=True), by)
    by = expected(spread(space["train"], first, train_itself=True))
    sums = {"index": spread(space["index"], first, index_itself=True), "test": spread(space["test"], first)}
    with_own = spread(space["train"], first, train_itself=True).sum(axis=1)
    without = spread(space["train"], first, train_landmark=True)
    without[np.arange(len(own)), context.labels] = 0
    slope, offset = learn_log_odds(with_own, without.sum(axis=1))
    odds = {split: slope * shares.sum(axis=1) + offset for split, shares in sums.items()}
    share = share_of_known(odds["test"])
    shares = {split: scaled(one, by) for split, one in sums.items()}
    return shares, {split: (one.sum(axis=1) + how_known(odds[split], share)) / 2 for split, one in shares.items()}


def dense(labels, values, width):
    result = np.zeros((len(labels), width))
    for row in range(len(labels)):
        for label, value in zip(labels[row], values[row], strict=True):
            if label >= 0:
                result[row, label] += value
    return result


def test_known_labels_equal_those_image_by_image():
    context, vectors, _ = world()
    (labels, known, _), (expected, expected_known) = module.known_labels(context, SETTINGS), known_one_by_one(context, vectors)
    for split in ("index", "test"):
        np.testing.assert_allclose(dense(*labels[split], CLASSES), expected[split], atol=3e-3)
        np.testing.assert_allclose(known[split], expected_known[split], atol=5e-3)
    assert known["test"][:CLASSES].min() > 0.7 > 0.4 > known["test"][CLASSES:].max(), "the world has both"


def test_the_score_is_similarity_labels_and_communities():
    context, vectors, ranking = world()
    made = SETTINGS.apply(ranking, context)
    (known, how), classifier = known_one_by_one(context, vectors), closed_form_classifier(context, SETTINGS.kept)
    parts = {}
    depth = max(1, known["index"].sum() / CLASSES)
    cosines = vectors["index"].astype(float) @ vectors["index"].T
    np.fill_diagonal(cosines, -np.inf)
    near = np.argsort(-cosines, axis=1)[:, :20]
    similar = np.take_along_axis(cosines, near, axis=1).astype(np.float32)
    communities = find_communities(mutual_graph(near.astype(np.int32), similar, 3.0), max(1, 42 / (SETTINGS.members * depth)))
    for split, around in (("index", cosines), ("test", vectors["test"].astype(float) @ vectors["index"].T)):
        output = classifier(vectors[split])
        labels = np.sqrt(known[split] * (dense(output.labels, output.probabilities, CLASSES) + SETTINGS.floor))
        labels /= labels.sum(axis=1, keepdims=True)
        shares = np.zeros((len(around), communities.max() + 1))
        for row, similarities in enumerate(around):
            for image in np.argsort(-similarities)[:10]:
                if (communities == communities[image]).sum() > 1:
                    shares[row, communities[image]] += max(similarities[image], 0) ** 3
            shares[row] /= (np.maximum(np.sort(similarities)[-10:], 0) ** 3).sum()
        k = how[split][:, None]
        rows = [vectors[split], SETTINGS.weight**0.5 * k**2 * labels, SETTINGS.community_weight**0.5 * (1 - k) * shares]
        joined = np.concatenate(rows, axis=1)
        parts[split] = joined / np.linalg.norm(joined, axis=1, keepdims=True)
    found = made.space.test.astype(float) @ made.space.index.astype(float).T
    np.testing.assert_allclose(found, parts["test"] @ parts["index"].T, atol=5e-3)
    first = found[np.arange(6)[:, None], made.indices[:, :7]]
    assert (np.diff(first, axis=1) < 1e-3).all()


def test_a_training_image_has_its_own_label_alone():
    context, _, ranking = world()
    labels = SETTINGS.apply(ranking, context).space.train[:, WIDTH:].astype(float)
    expected = np.zeros_like(labels)
    expected[np.arange(len(labels)), context.labels] = (SETTINGS.weight / (1 + SETTINGS.weight)) ** 0.5
    np.testing.assert_allclose(labels, expected, atol=1e-3)


def test_where_landmarks_have_one_training_image_labels_count_as_they_are():
    context, _, ranking = world(per_landmark=1)
    labels, known, share = module.known_labels(context, SETTINGS)
    assert share is None
    assert 0 < labels["index"].shares.sum(axis=1).max() <= 1
    for split in ("index", "test"):
        np.testing.assert_array_equal(known[split], labels[split].shares.sum(axis=1))
    assert np.isfinite(SETTINGS.apply(ranking, context).scores).all()


def test_fewer_than_two_landmarks_are_refused():
    context, vectors, ranking = world()
    alone = Context(context.base, np.zeros(len(vectors["train"]), int), vectors.__getitem__)
    with pytest.raises(UserError, match="fewer than two"):
        SETTINGS.apply(ranking, alone)


def test_the_share_of_known_queries_is_kept_for_other_steps_with_these_settings(monkeypatch):
    context, _, ranking = world()
    SETTINGS.apply(ranking, context)
    share = module.known_labels(context, SETTINGS).share
    assert 0.5 < share < 1 and module.share_of_known_queries(context, SETTINGS) == share
    monkeypatch.setattr(module, "known_labels", lambda *given: pytest.fail("it is known"))
    assert module.share_of_known_queries(context, SETTINGS) == share
    monkeypatch.undo()
    other = SETTINGS.model_copy(update={"neighbours": 2})
    assert module.share_of_known_queries(context, other) == module.known_labels(context, other).share != share
