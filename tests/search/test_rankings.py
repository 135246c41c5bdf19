import numpy as np

from landmarks.ranking import Ranking
from landmarks.search.rankings import listed_numbers


def strings(*ids):
    return np.array(ids, dtype=object)


def test_lists_as_numbers_into_another_table_where_an_unknown_query_has_an_empty_list():
    indices = np.array([[2, 0, -1], [1, 2, 0]], np.int32)
    scores = np.where(indices >= 0, np.array([3, 2, 1], np.float32), np.float32(-np.inf)).astype(np.float32)
    ranking = Ranking(strings("q1", "q2"), strings("a", "b", "c"), indices, scores)
    wanted, table = strings("q2", "stranger", "q1"), strings("c", "x", "a", "b")
    np.testing.assert_array_equal(listed_numbers(ranking, wanted, table), [[3, 0, 2], [-1, -1, -1], [0, 2, -1]])
    np.testing.assert_array_equal(listed_numbers(ranking, wanted, table, 1), [[3], [-1], [0]])
    np.testing.assert_array_equal(listed_numbers(ranking, wanted, strings("a")), [[-1, -1, 0], [-1, -1, -1], [-1, 0, -1]])
    none = Ranking(strings(), strings("a"), np.empty((0, 2), np.int32), np.empty((0, 2), np.float32))
    np.testing.assert_array_equal(listed_numbers(none, wanted, table), np.full((3, 2), -1))
