import numpy as np
import pytest

from landmarks.ops.communities import find_communities, modularity, mutual_graph


def dense(graph):
    size = len(graph.starts) - 1
    matrix = np.zeros((size, size))
    for node in range(size):
        for entry in range(graph.starts[node], graph.starts[node + 1]):
            matrix[node, graph.ends[entry]] += graph.weights[entry]
    return matrix


def neighbours_of(cosines, width):
    cosines = cosines.copy()
    np.fill_diagonal(cosines, -np.inf)
    near = np.argsort(-cosines, axis=1, kind="stable")[:, :width].astype(np.int32)
    return near, np.take_along_axis(cosines, near, axis=1).astype(np.float32)


def cosines_of(groups, noise, seed=0):
    random = np.random.default_rng(seed)
    rows = np.eye(max(groups) + 1, 12)[groups] + noise * random.standard_normal((len(groups), 12))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def test_edges_are_mutual_and_weigh_the_power_of_the_similarity():
    cosines = cosines_of(np.arange(15) % 3, 0.5)
    near, similarities = neighbours_of(cosines, 4)
    near[3, 2:] = -1
    found = dense(mutual_graph(near, similarities, 3.0))
    expected = np.zeros((15, 15))
    for one in range(15):
        for other in range(15):
            if other in near[one] and one in near[other] and cosines[one, other] > 0:
                expected[one, other] = cosines[one, other] ** 3
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found == found.T).all()


def modularity_of(matrix, groups, resolution):
    degrees, total = matrix.sum(axis=1), matrix.sum()
    same = groups[:, None] == groups[None, :]
    return ((matrix - resolution * np.outer(degrees, degrees) / total) * same).sum() / total


@pytest.mark.parametrize("resolution", [0.5, 1.0, 4.0])
def test_no_image_could_move_and_no_two_communities_join_for_a_gain(resolution):
    near, similarities = neighbours_of(cosines_of(np.arange(40) % 7, 0.6, seed=3), 6)
    graph = mutual_graph(near, similarities, 2.0)
    matrix, found = dense(graph), find_communities(graph, resolution)
    reached = modularity_of(matrix, found, resolution)
    assert modularity(graph, found, resolution) == pytest.approx(reached, abs=1e-12)
    assert reached >= modularity_of(matrix, np.arange(40) % 7, resolution) - 0.02
    for one in range(found.max() + 1):
        for other in range(one):
            joined = np.where(found == one, other, found)
            assert modularity_of(matrix, joined, resolution) <= reached + 1e-9


def test_groups_are_found_and_numbered_by_their_first_image():
    groups = np.random.default_rng(5).permutation(np.repeat(np.arange(6), 9))
    near, similarities = neighbours_of(cosines_of(groups, 0.1), 8)
    graph = mutual_graph(near, similarities, 3.0)
    found = find_communities(graph, 1.0)
    assert found.dtype == np.int32 and len(np.unique(found)) == 6
    assert all(len(np.unique(found[groups == group])) == 1 for group in range(6))
    assert np.unique(found, return_index=True)[1].tolist() == sorted(np.unique(found, return_index=True)[1])
    np.testing.assert_array_equal(found, find_communities(graph, 1.0))


def test_images_without_edges_are_alone():
    near, similarities = np.full((4, 2), -1, np.int32), np.full((4, 2), -np.inf, np.float32)
    assert find_communities(mutual_graph(near, similarities, 3.0), 1.0).tolist() == [0, 1, 2, 3]
    near[0, 0], near[1, 0], similarities[:2, 0] = 1, 0, 0.5
    assert find_communities(mutual_graph(near, similarities, 3.0), 1.0).tolist() == [0, 0, 1, 2]
    nobody = mutual_graph(near[:0], similarities[:0], 3.0)
    assert find_communities(nobody, 1.0).shape == (0,) and modularity(nobody, np.arange(0), 1.0) == 0
