import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.ranking import Ranking
from landmarks.search.rankings import listed_numbers, read_ranking, write_ranking


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("indices", [[0, 5], [1, 0]]),
        ("indices", [[0, 0], [1, 0]]),
        ("indices", [[-1, 0], [1, 0]]),
        ("indices", [[-2, 0], [1, 0]]),
        ("indices", [[0.0, 1.0], [1, 0]]),
        ("indices", [[0, 1]]),
        ("indices", [0, 1]),
        ("scores", [[1, 2], [2, 1]]),
        ("scores", [[np.nan, 2], [2, 1]]),
    ],
)
def test_arrays_that_are_no_ranking_are_refused(tmp_path, name, value):
    ids = np.array(["a", "b", "c"], object)
    write_ranking(tmp_path, Ranking(ids[:2], ids, np.array([[0, 1], [1, 0]], np.int32), np.array([[2, 1], [2, 1]], np.float32)))
    assert read_ranking(tmp_path).indices.tolist() == [[0, 1], [1, 0]]
    array = np.array(value)
    np.save(tmp_path / f"{name}.npy", array.astype(np.int32 if name == "indices" and array.dtype.kind == "i" else array.dtype))
    with pytest.raises(UserError, match="not a ranking") as raised:
        read_ranking(tmp_path)
    assert raised.value.where == tmp_path
