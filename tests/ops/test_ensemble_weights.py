import numpy as np
import pytest

from landmarks.ops.ensemble_weights import FOLDS, Similarities, fit_weights
from landmarks.ops.vectors import ensemble, l2_normalise

LABELS = np.repeat(np.arange(10), 12)
QUERIES = np.arange(0, 120, 3)


def world(noises, *, among=False, seed=0):
    """Two or more models, each with this much noise in its descriptors; the queries are among the images or not."""
    random = np.random.default_rng(seed)
    matrices = [l2_normalise(random.normal(size=(10, 16))[LABELS] + noise * random.normal(size=(120, 16))) for noise in noises]
    images = np.arange(120) if among else np.setdiff1d(np.arange(120), QUERIES)
    itself = QUERIES if among else np.full(len(QUERIES), -1)
    return matrices, images, itself


def similarities(matrices, images, itself):
    return Similarities([m[QUERIES] for m in matrices], [m[images] for m in matrices], LABELS[QUERIES], LABELS[images], itself)


@pytest.mark.parametrize("among", [False, True])
def test_precisions_are_those_of_the_joined_vectors(among):
    matrices, images, itself = world([1.5, 2.5, 2.0], among=among)
    weights = np.array([1.0, 0.35, 0.7])
    found = similarities(matrices, images, itself).precisions(weights, np.arange(len(QUERIES)))
    joined = ensemble(matrices, list(weights)).astype(np.float64)
    for row, query in enumerate(QUERIES):
        order = [image for image in images[np.argsort(-(joined[images] @ joined[query]))] if image != query][:100]
        true = LABELS[order] == LABELS[query]
        expected = sum(true[: k + 1].mean() for k in np.flatnonzero(true)) / ((LABELS[images] == LABELS[query]).sum() - among)
        assert found[row] == pytest.approx(expected)


def test_a_weak_model_gets_less_weight_and_the_gain_is_seen_on_other_queries():
    fitted = fit_weights(similarities(*world([1.2, 6.0])))
    assert fitted.weights[0] == 1 and fitted.weights[1] <= 0.5
    assert fitted.alone[0] > fitted.alone[1] and fitted.held_out > fitted.equal and fitted.gain[0] > 0
    assert fitted.gain[0] < fitted.held_out - fitted.equal < fitted.gain[1]


def test_weights_stay_equal_where_none_are_surely_better():
    fitted = fit_weights(similarities(*world([2.0, 2.0, 2.0])))
    assert (fitted.weights == 1).all() and fitted.gain[0] <= 0


def test_the_same_queries_give_the_same_weights():
    one, other = (fit_weights(similarities(*world([1.2, 6.0]))) for _ in range(2))
    assert (one.weights == other.weights).all() and one.gain == other.gain


def test_queries_without_a_true_image_do_not_count():
    matrices, images, itself = world([1.0, 1.0])
    alone = np.where(images < 12, -5, LABELS[images])  # the first landmark's images are of another
    kept = Similarities([m[QUERIES] for m in matrices], [m[images] for m in matrices], LABELS[QUERIES], alone, itself)
    assert len(kept) == len(QUERIES) - 4
    with pytest.raises(ValueError, match="too few"):
        few = QUERIES[:FOLDS]
        fit_weights(Similarities([m[few] for m in matrices], [m[images] for m in matrices], LABELS[few], LABELS[images], itself[:FOLDS]))
