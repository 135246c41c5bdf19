import numpy as np
import pytest

from landmarks.ops.explore import explore
from landmarks.ops.knn import exact_knn
from landmarks.ops.vectors import l2_normalise


def walk_one_by_one(row, edges, threshold, length):
    """Algorithm 1 of the paper with plain lists: every edge kept, the strongest looked for each time."""
    result, scores, heap, arrived, weakest = [], [], [], None, float("inf")
    while len(result) < length:
        for sources in [row] if arrived is None else [edges[image] for image in arrived]:
            heap += [(value, image) for image, value in sources if image >= 0]
        heap = [edge for edge in heap if edge[1] not in result]
        arrived = []
        if not heap:
            break
        while True:
            value, image = heap.pop(max(range(len(heap)), key=lambda place: (heap[place][0], -place)))
            weakest = min(weakest, value)
            result.append(image)
            scores.append(weakest)
            arrived.append(image)
            heap = [edge for edge in heap if edge[1] != image]
            if len(result) == length or not heap or max(heap)[0] <= threshold:
                break
    none = length - len(result)
    return result + [-1] * none, scores + [-np.inf] * none


def graph_of(rng, images, width, coarse):
    vectors = l2_normalise(rng.standard_normal((images, 4)))
    vectors[5] = vectors[9]
    neighbours, similarities = exact_knn(vectors, vectors, width)
    if coarse:  # many ties
        similarities = np.round(similarities * 8) / 8
    return vectors, neighbours, similarities


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize(("threshold", "length"), [(0.8, 10), (0.5, 25), (np.inf, 12), (-np.inf, 40), (0.9, 60)])
def test_equals_the_plain_twin(coarse, threshold, length):
    rng = np.random.default_rng(3)
    vectors, neighbours, similarities = graph_of(rng, 50, 6, coarse)
    indices, scores = exact_knn(l2_normalise(rng.standard_normal((20, 4))), vectors, 10)
    scores = np.round(scores * 8) / 8 if coarse else scores
    for row, kept in enumerate(rng.integers(0, 11, 20)):
        indices[row, kept:], scores[row, kept:] = -1, -np.inf
    reached, values = explore(indices, scores, neighbours, similarities, threshold, length)
    edges = [list(zip(row, value, strict=True)) for row, value in zip(neighbours.tolist(), similarities.tolist(), strict=True)]
    for row in range(20):
        own = list(zip(indices[row].tolist(), scores[row].tolist(), strict=True))
        expected, weakest = walk_one_by_one(own, edges, threshold, length)
        assert reached[row].tolist() == expected
        assert values[row].tolist() == weakest


def test_worked_by_hand():
    """Query - 0 (0.9), query - 1 (0.5), 0 - 2 (0.8), 2 - 3 (0.4): image 2 comes in over 0, before 1."""
    neighbours = np.array([[2, -1], [-1, -1], [0, 3], [2, -1]], np.int32)
    similarities = np.array([[0.8, -np.inf], [-np.inf, -np.inf], [0.8, 0.4], [0.4, -np.inf]], np.float32)
    query = np.array([[0, 1]], np.int32), np.array([[0.9, 0.5]], np.float32)
    reached, values = explore(*query, neighbours, similarities, 0.6, 5)
    assert reached.tolist() == [[0, 2, 1, 3, -1]]
    np.testing.assert_allclose(values, [[0.9, 0.8, 0.5, 0.4, -np.inf]], rtol=1e-6)
    reached, values = explore(*query, neighbours, similarities, 0.3, 3)
    assert reached.tolist() == [[0, 1, 2]], "what the query itself found passes first"
    np.testing.assert_allclose(values, [[0.9, 0.5, 0.5]], rtol=1e-6)
    assert explore(*query, neighbours, similarities, 0.6)[0].tolist() == [[0, 2]], "as long as the row was"


def test_a_permutation_of_the_queries_permutes_the_result():
    rng = np.random.default_rng(4)
    vectors, neighbours, similarities = graph_of(rng, 40, 5, coarse=False)
    indices, scores = exact_knn(l2_normalise(rng.standard_normal((15, 4))), vectors, 8)
    order = rng.permutation(15)
    whole, part = (explore(indices[rows], scores[rows], neighbours, similarities, 0.7)[0] for rows in (np.arange(15), order))
    np.testing.assert_array_equal(part, whole[order])


def test_nothing_to_do():
    graph = np.full((2, 3), -1, np.int32), np.full((2, 3), -np.inf, np.float32)
    assert explore(np.empty((0, 3), np.int32), np.empty((0, 3), np.float32), *graph, 0.5)[0].shape == (0, 3)
    none = np.full((1, 2), -1, np.int32), np.full((1, 2), -np.inf, np.float32)
    assert explore(*none, *graph, 0.5)[0].tolist() == [[-1, -1]]
    assert explore(*none, graph[0][:0], graph[1][:0], 0.5)[1].tolist() == [[-np.inf, -np.inf]]
    assert explore(np.empty((1, 0), np.int32), np.empty((1, 0), np.float32), *graph, 0.5, 2)[0].tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="neighbours"):
        explore(*none, graph[0], graph[1][:1], 0.5)
