import numpy as np
import pytest

from landmarks.ranking import Space
from landmarks.rerank.context import Context
from landmarks.rerank.steps.diffuse import Diffuse


@pytest.fixture(scope="module")
def searched():
    random = np.random.default_rng(0)
    rows = random.standard_normal((75, 6)) + 1.2 * np.eye(5, 6)[np.arange(75) % 5]
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    context = Context(Space(rows[:15], rows[15:], rows[:0]), np.empty(0, np.int64), lambda split: rows)
    return context, context.search_first(np.arange(15).astype(str), np.arange(60).astype(str), 12)


def diffused(query, index, candidates, neighbours, edges_in=None):
    """f of a query's candidates, on the dense graph of these alone, in float64. edges_in: the vectors that the edges are of."""
    cosines = index @ index.T if edges_in is None else edges_in @ edges_in.T
    np.fill_diagonal(cosines, -np.inf)
    lists = [set(row[:neighbours]) for row in np.argsort(-cosines, axis=1).tolist()]
    found = np.argsort(-(index @ query))[:candidates]
    edges = np.array([[max(cosines[i, j], 0) ** 3 if j in lists[i] and i in lists[j] else 0.0 for j in found] for i in found])
    degrees = edges.sum(axis=1)
    scale = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
    start = np.where(np.arange(candidates) < 4, np.maximum(index[found] @ query, 0) ** 3, 0)
    return found, np.linalg.solve(np.eye(candidates) - 0.9 * scale[:, None] * edges * scale, start)


@pytest.mark.parametrize("candidates", [12, 30, 60])
def test_images_that_the_list_lacks_come_in_by_similarity_and_diffusion(searched, candidates):
    context, ranking = searched
    step = Diffuse(neighbours=8, seeds=4, power=3.0, candidates=candidates, weight=0.6)
    made = step.apply(ranking, context)
    index, came = context.base.index.astype(float), 0
    for query, row in enumerate(context.base.test.astype(float)):
        found, spread = diffused(row, index, candidates, 8)
        scores = index[found] @ row + 0.6 * spread / spread.max()
        order = np.argsort(-scores)[:12]
        np.testing.assert_array_equal(made.indices[query], found[order])
        np.testing.assert_allclose(made.scores[query], scores[order], rtol=1e-4)
        came += len(set(made.indices[query].tolist()) - set(ranking.indices[query].tolist()))
    assert (came > 0) == (candidates > 12)


def test_without_both_it_orders_the_list_by_diffusion_alone(searched):
    context, ranking = searched
    made = Diffuse(neighbours=8, seeds=4, power=3.0).apply(ranking, context)
    for query, row in enumerate(context.base.test.astype(float)):
        found, spread = diffused(row, context.base.index.astype(float), 12, 8)
        np.testing.assert_array_equal(np.sort(made.indices[query]), np.sort(ranking.indices[query]))
        np.testing.assert_allclose(made.scores[query], np.sort(spread)[::-1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("searches", [1, 2])
def test_similarity_is_passed_on_along_the_neighbours_of_the_search_before_as_well(searched, searches):
    context, ranking = searched
    spaces = [context.base]
    for factor in (2.0, 0.5)[:searches]:
        stretched = [np.ascontiguousarray(spaces[-1].vectors(split) * np.float32([factor, 1, 1, 1, 1, 1])) for split in ("test", "index")]
        stretched = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in stretched]
        spaces.append(Space(*stretched, context.base.train))
        ranking = context.search(ranking, spaces[-1])
    step = Diffuse(neighbours=8, seeds=4, power=3.0, candidates=30, weight=0.6, earlier=True)
    made = step.apply(ranking.with_order(ranking.indices[:, ::-1].copy()), context)  # a step between that only orders changes nothing
    index, before = spaces[-1].index.astype(float), spaces[searches - 1].index.astype(float)
    for query, row in enumerate(spaces[-1].test.astype(float)):
        found, spread = diffused(row, index, 30, 8)
        other = diffused(row, index, 30, 8, before)[1]
        scores = index[found] @ row + 0.6 * spread / spread.max() + 0.6 * other / other.max()
        np.testing.assert_array_equal(made.indices[query], found[np.argsort(-scores)[:12]])
        np.testing.assert_allclose(made.scores[query], np.sort(scores)[::-1][:12], rtol=1e-4)
    alone = step.model_copy(update={"earlier": False}).apply(ranking, context)
    assert (made.indices != alone.indices).any()


@pytest.mark.parametrize("searches", [0, 1])
def test_the_same_neighbours_count_once(searched, searches):
    context, ranking = searched
    if searches:  # of other queries in the same index
        turned = np.ascontiguousarray(np.roll(context.base.test, 1, axis=0))
        ranking = context.search(ranking, Space(turned, context.base.index, context.base.train))
    step = Diffuse(neighbours=8, seeds=4, power=3.0, candidates=30, weight=0.6, earlier=True)
    made, alone = (one.apply(ranking, context) for one in (step, step.model_copy(update={"earlier": False})))
    np.testing.assert_array_equal(made.scores, alone.scores)


def test_earlier_neighbours_count_beside_the_similarity_alone():
    with pytest.raises(ValueError, match="earlier needs a weight"):
        Diffuse(earlier=True)


def test_fewer_candidates_than_the_list_holds_are_those_of_the_list_and_an_index_may_hold_fewer(searched):
    context, ranking = searched
    few, list_long, many = (Diffuse(candidates=count, weight=0.6).apply(ranking, context) for count in (3, 12, 500))
    np.testing.assert_array_equal(few.indices, list_long.indices)
    assert many.indices.shape == (15, 12) and (many.indices >= 0).all()
