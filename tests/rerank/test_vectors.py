import numpy as np
import pytest

from landmarks.ops.label_spread import LabelDistributions
from landmarks.ops.vectors import Whitening
from landmarks.ranking import Space
from landmarks.rerank import vectors as module
from landmarks.rerank.context import Context
from landmarks.rerank.steps.add_labels import AddLabels
from landmarks.rerank.vectors import label_distributions, projected_space, space_with_labels


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def at_degrees(*angles):
    """Unit vectors in a plane; None is the direction that is orthogonal to it."""
    return np.array([[0, 0, 1] if a is None else [np.cos(np.radians(a)), np.sin(np.radians(a)), 0] for a in angles], np.float32)


# The second index image is nearer to the first than to any training image, and the first query nearer to the second one.
SPACE = Space(test=at_degrees(30, None), index=at_degrees(15, 35, None), train=at_degrees(0, 180))
CONTEXT = Context(SPACE, np.array([50, 60]), SPACE.vectors)


def spread(**settings):
    return label_distributions(SPACE, CONTEXT, AddLabels(**{"neighbours": 1, "power": 1.0, "kept": 2} | settings))


def known(distributions):
    """Of each image its labels and their shares, without those that are not there."""
    return [{int(label): float(share) for label, share in zip(*row, strict=True) if label >= 0} for row in zip(*distributions, strict=True)]


def test_training_images_have_their_own_label_and_it_reaches_as_far_as_the_rounds():
    for rounds, index, test in ((1, [{0: 1}, {}, {}], [{}, {}]), (2, [{0: 1}, {0: 1}, {}], [{0: 1}, {}])):
        labels = spread(rounds=rounds)
        assert known(labels["train"]) == [{0: 1}, {1: 1}]
        assert (known(labels["index"]), known(labels["test"])) == (index, test), rounds


def test_a_neighbour_counts_by_its_similarity_and_one_without_labels_leaves_a_smaller_sum():
    own, other = np.cos(np.radians(15)) ** 3, np.cos(np.radians(20)) ** 3
    assert known(spread(rounds=1, neighbours=2, power=3.0)["index"])[0] == {0: pytest.approx(own / (own + other), rel=1e-5)}


@pytest.mark.parametrize("rows", [1, 4096])
def test_similarity_and_agreement_of_labels_add_up_in_the_inner_product(monkeypatch, rows):
    monkeypatch.setattr(module, "CACHE_ROWS", rows)
    labels = {
        "train": LabelDistributions(np.array([[0], [1]], np.int32), np.ones((2, 1), np.float32)),
        "index": LabelDistributions(np.array([[0, 1], [1, -1], [-1, -1]], np.int32), np.array([[0.6, 0.4], [0.5, 0], [0, 0]], np.float32)),
        "test": LabelDistributions(np.array([[0], [-1]], np.int32), np.array([[0.9], [0]], np.float32)),
    }
    joined = space_with_labels(SPACE, Context(SPACE, np.array([1, 2]), SPACE.vectors), labels, np.eye(2, dtype=np.float32), weight=2.0)
    assert joined.index.shape == (3, 3 + 2) and joined.index.dtype == np.float16
    dense = {"index": np.array([[0.6, 0.4], [0, 0.5], [0, 0]]), "test": np.array([[0.9, 0], [0, 0]])}
    scores = SPACE.test @ SPACE.index.T + 2 * dense["test"] @ dense["index"].T
    lengths = [np.sqrt(1 + 2 * (dense[split] ** 2).sum(axis=1)) for split in ("test", "index")]
    np.testing.assert_allclose(joined.test.astype(float) @ joined.index.T, scores / np.outer(*lengths), atol=2e-3)
    np.testing.assert_allclose(joined.index[2], [0, 0, 1, 0, 0], atol=1e-3)


@pytest.mark.parametrize("rows", [2, 65536])
def test_projections_stand_side_by_side_at_length_one(monkeypatch, rows):
    monkeypatch.setattr(module, "BLOCK", rows)
    rng = np.random.default_rng(0)
    descriptors = {
        split: unit(rng.standard_normal((count, 5))).astype(np.float32) for split, count in zip(("test", "index", "train"), (2, 5, 3))
    }
    first, second = (
        Whitening(rng.standard_normal(5).astype(np.float32), rng.standard_normal((5, kept)).astype(np.float32)) for kept in (2, 4)
    )
    made = projected_space(Context(SPACE, np.array([1, 2]), descriptors.__getitem__), [first, second])
    for split, rows in descriptors.items():
        halves = [unit((rows - each.mean) @ each.projection) / np.sqrt(2) for each in (first, second)]
        np.testing.assert_allclose(made.vectors(split), np.hstack(halves), atol=1e-3)
        assert made.vectors(split).dtype == np.float16
