import numpy as np
import pytest

from landmarks.ops.super_global import super_global
from landmarks.ops.vectors import l2_normalise


def rerank_one(query, candidates, neighbours, beta, pooling):
    """The published definition for one query: (count, d) candidates -> (count,) scores, float64."""
    query, candidates = query.astype(np.float64), candidates.astype(np.float64)
    refined = []
    for own in range(len(candidates)):
        others = [other for other in range(len(candidates)) if other != own]
        others.sort(key=lambda other: -(candidates[own] @ candidates[other]))
        total, weights = candidates[own].copy(), 1.0
        for other in others[:neighbours]:
            weight = beta * max(candidates[own] @ candidates[other], 0)
            total, weights = total + weight * candidates[other], weights + weight
        refined.append(total / weights)
    first = [query @ one for one in refined]
    best = sorted(range(len(refined)), key=lambda one: -first[one])[: neighbours + 1]
    pooled = getattr(np, pooling)([refined[one] for one in best], axis=0)
    return np.array([(value + pooled @ one) / 2 for value, one in zip(first, refined, strict=True)])


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize(("dtype", "k", "neighbours"), [(np.float32, 20, 4), (np.float16, 6, 9), (np.float32, 7, 0)])
def test_equals_the_plain_twin(pooling, dtype, k, neighbours):
    rng = np.random.default_rng(0)
    queries, vectors = (l2_normalise(rng.standard_normal((n, 8)) + 0.3).astype(dtype) for n in (13, 50))
    indices = np.stack([rng.permutation(50)[:k] for _ in range(13)]).astype(np.int32)
    for row, kept in enumerate(rng.integers(0, k + 1, 13)):
        indices[row, kept:] = -1
    indices[0], indices[1, 1:] = -1, -1
    ordered, scores = super_global(queries, vectors, indices, neighbours, 0.15, pooling)
    for row in range(13):
        found = indices[row][indices[row] >= 0]
        expected = dict(
            zip(found.tolist(), rerank_one(queries[row], vectors[found], neighbours, 0.15, pooling) if len(found) else [], strict=True)
        )
        assert sorted(ordered[row][: len(found)].tolist()) == sorted(expected) and (ordered[row][len(found) :] == -1).all()
        np.testing.assert_allclose(scores[row][: len(found)], [expected[image] for image in ordered[row][: len(found)].tolist()], atol=1e-5)
        assert (np.diff(scores[row][: len(found)]) <= 0).all() and (scores[row][len(found) :] == -np.inf).all()


def test_worked_by_hand():
    """Two candidates at right angles, one on the query: weight 0 between them, first (1, 0), pool over both."""
    vectors, indices = np.eye(2, dtype=np.float32), np.array([[1, 0]], np.int32)
    ordered, scores = super_global(vectors[:1], vectors, indices, 1, 0.5)
    assert ordered.tolist() == [[0, 1]] and scores.tolist() == [[1.0, 0.5]], "pooled = (1, 1)"
    assert super_global(vectors[:1], vectors, indices, 1, 0.5, "mean")[1].tolist() == [[0.75, 0.25]]
    assert super_global(vectors[:1], vectors, indices, 0, 0.5)[1].tolist() == [[1.0, 0.0]], "the pool is the best alone"


def test_copies_keep_their_places():
    vectors = np.repeat(np.array([[0.6, 0.8]], np.float32), 5, axis=0)
    indices = np.array([[3, 1, 4, 0, 2]], np.int32)
    ordered, scores = super_global(np.array([[1.0, 0]]), vectors, indices, 3)
    assert ordered.tolist() == indices.tolist() and len(set(scores[0].tolist())) == 1


def test_nothing_to_do_and_what_is_refused():
    vectors = np.eye(3, dtype=np.float32)
    assert super_global(vectors[:0], vectors, np.empty((0, 4), np.int32))[0].shape == (0, 4)
    assert super_global(vectors, vectors, np.empty((3, 0), np.int32))[1].shape == (3, 0)
    assert super_global(vectors[:1], vectors[:0], np.full((1, 2), -1, np.int32))[0].tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="pooling"):
        super_global(vectors, vectors, np.zeros((3, 1), np.int32), pooling="min")
    with pytest.raises(ValueError, match="disagree"):
        super_global(vectors[:2], vectors, np.zeros((3, 1), np.int32))
