import numpy as np
import pytest

from landmarks.ops.diffusion import diffusion
from landmarks.ops.knn import exact_knn
from landmarks.ops.knn_graph import nearest_others
from landmarks.ops.vectors import l2_normalise


def solve_one(row, scores, neighbours, similarities, seeds, power, alpha):
    """The definition with dense matrices, solved directly: (count,) float64."""
    lists = [dict(zip(n.tolist(), s.tolist(), strict=True)) for n, s in zip(neighbours[row], similarities[row], strict=True)]
    affinity = np.zeros((len(row), len(row)))
    for i, one in enumerate(row.tolist()):
        for j, other in enumerate(row.tolist()):
            if i != j and other in lists[i] and one in lists[j]:
                affinity[i, j] = max(lists[i][other], 0) ** power
    degrees = affinity.sum(axis=1)
    scale = np.diag([1 / value**0.5 if value > 0 else 0.0 for value in degrees])
    start = np.array([max(score, 0.0) ** power if place < seeds else 0.0 for place, score in enumerate(scores.tolist())])
    return np.linalg.solve(np.eye(len(row)) - alpha * scale @ affinity @ scale, start)


@pytest.mark.parametrize(("width", "seeds", "alpha", "power"), [(6, 3, 0.9, 3), (12, 10, 0.99, 1), (30, 100, 0.5, 2)])
def test_equals_a_direct_solution_of_the_dense_system(width, seeds, alpha, power):
    rng = np.random.default_rng(0)
    vectors = l2_normalise(rng.standard_normal((60, 4)) + 0.4)
    vectors[7] = vectors[3]
    neighbours, similarities = nearest_others(*exact_knn(vectors, vectors, width + 1), width)
    indices, scores = exact_knn(l2_normalise(rng.standard_normal((25, 4))), vectors, 20)
    for row, kept in enumerate(rng.integers(0, 21, 25)):
        indices[row, kept:], scores[row, kept:] = -1, -np.inf
    ordered, spread = diffusion(indices, scores, neighbours, similarities, seeds, power, alpha, iterations=200)
    for row in range(25):
        found = indices[row][indices[row] >= 0]
        solution = solve_one(found, scores[row][: len(found)], neighbours, similarities, seeds, power, alpha)
        expected = dict(zip(found.tolist(), solution, strict=True))
        assert sorted(expected) == sorted(ordered[row][: len(found)].tolist()) and (ordered[row][len(found) :] == -1).all()
        values = spread[row][: len(found)]
        np.testing.assert_allclose(values, [expected[image] for image in ordered[row][: len(found)].tolist()], rtol=1e-4, atol=1e-5)
        assert (np.diff(values) <= 0).all() and (spread[row][len(found) :] == -np.inf).all()


def test_beside_the_similarity_it_counts_as_a_share_of_its_largest():
    rng = np.random.default_rng(2)
    vectors = l2_normalise(rng.standard_normal((60, 4)))
    graph = nearest_others(*exact_knn(vectors, vectors, 9), 8)
    indices, scores = exact_knn(l2_normalise(rng.standard_normal((25, 4))), vectors, 20)
    indices[:4, 15:], scores[:4, 15:] = -1, -np.inf
    ordered, found = diffusion(indices, scores, *graph, 5, 3.0, 0.9, iterations=200, weight=0.7)
    moved = 0
    for row in range(25):
        kept = indices[row] >= 0
        spread = solve_one(indices[row][kept], scores[row][kept], *graph, 5, 3.0, 0.9)
        expected = scores[row][kept] + 0.7 * spread / spread.max()
        np.testing.assert_allclose(found[row][: kept.sum()], np.sort(expected)[::-1], rtol=1e-4)
        moved += ordered[row].tolist() != indices[row].tolist()
    assert moved > 20
    assert (ordered[:4, 15:] == -1).all() and (found[:4, 15:] == -np.inf).all()
    np.testing.assert_array_equal(diffusion(indices, scores, *graph, seeds=0, weight=0.7)[0], indices)


def test_two_graphs_add_their_shares_of_the_similarity_that_they_spread():
    rng = np.random.default_rng(3)
    vectors, others = (l2_normalise(rng.standard_normal((60, 4))) for _ in range(2))
    graphs = [nearest_others(*exact_knn(rows, rows, width + 1), width) for rows, width in ((vectors, 8), (others, 5))]
    indices, scores = exact_knn(l2_normalise(rng.standard_normal((25, 4))), vectors, 20)
    ordered, found = diffusion(indices, scores, *graphs[0], 5, 3.0, 0.9, iterations=200, weight=0.7, second=graphs[1])
    alone = diffusion(indices, scores, *graphs[0], 5, 3.0, 0.9, iterations=200, weight=0.7)[0]
    for row in range(25):
        expected = scores[row].astype(float)
        for graph in graphs:
            spread = solve_one(indices[row], scores[row], *graph, 5, 3.0, 0.9)
            expected += 0.7 * spread / spread.max()
        np.testing.assert_array_equal(ordered[row], indices[row][np.argsort(-expected)])
        np.testing.assert_allclose(found[row], np.sort(expected)[::-1], rtol=1e-4)
    assert (ordered != alone).any()


def test_worked_by_hand():
    """Images 0 and 1 list each other (S = 1 between them), 2 is listed by 0 and lists no image. y = (1, 0, 0), alpha 1/2:
    f0 = 1 + f1 / 2, f1 = f0 / 2, so f0 = 4/3 and f1 = 2/3."""
    neighbours = np.array([[2, 1], [0, -1], [-1, -1]], np.int32)
    similarities = np.array([[0.9, 0.5], [0.5, -np.inf], [-np.inf, -np.inf]], np.float32)
    indices, scores = np.array([[0, 2, 1]], np.int32), np.array([[1.0, 0.5, 0.25]], np.float32)
    ordered, spread = diffusion(indices, scores, neighbours, similarities, seeds=1, alpha=0.5)
    assert ordered.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(spread, [[4 / 3, 2 / 3, 0]], rtol=1e-6)


def test_one_query_leaves_nothing_behind_for_the_next():
    rng = np.random.default_rng(1)
    vectors = l2_normalise(rng.standard_normal((40, 4)))
    graph = nearest_others(*exact_knn(vectors, vectors, 8), 7)
    indices, scores = exact_knn(vectors[:16], vectors, 10)
    together = diffusion(indices, scores, *graph)
    for row in range(16):
        alone = diffusion(indices[row : row + 1], scores[row : row + 1], *graph)
        assert alone[0][0].tolist() == together[0][row].tolist() and alone[1][0].tolist() == together[1][row].tolist()


def test_without_edges_or_seeds_every_image_keeps_its_place():
    indices, scores = np.array([[2, 0, 1]], np.int32), np.array([[0.5, 0.25, -0.5]], np.float32)
    graph = np.full((3, 2), -1, np.int32), np.full((3, 2), -np.inf, np.float32)
    ordered, spread = diffusion(indices, scores, *graph, power=1)
    assert ordered.tolist() == [[2, 0, 1]] and spread.tolist() == [[0.5, 0.25, 0]]
    assert diffusion(indices, scores, *graph, seeds=0)[0].tolist() == [[2, 0, 1]]


def test_nothing_to_do_and_what_is_refused():
    graph = np.zeros((2, 3), np.int32), np.ones((2, 3), np.float32)
    assert diffusion(np.empty((0, 3), np.int32), np.empty((0, 3), np.float32), *graph)[0].shape == (0, 3)
    assert diffusion(np.empty((2, 0), np.int32), np.empty((2, 0), np.float32), *graph)[0].shape == (2, 0)
    none = np.full((1, 2), -1, np.int32), np.full((1, 2), -np.inf, np.float32)
    assert diffusion(*none, graph[0][:0], graph[1][:0])[0].tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="alpha"):
        diffusion(*none, *graph, alpha=1.0)
    with pytest.raises(ValueError, match="neighbours"):
        diffusion(*none, graph[0], graph[1][:1])
    for second, weight in (((graph[0], graph[1]), None), ((graph[0][:1], graph[1][:1]), 0.5), ((graph[0], graph[1][:1]), 0.5)):
        with pytest.raises(ValueError, match="second"):
            diffusion(*none, *graph, weight=weight, second=second)
