import numpy as np
import pytest

from landmarks.config import chain
from landmarks.errors import UserError
from landmarks.ranking import Ranking
from landmarks.rerank import STEPS, Context
from landmarks.store.tables import TrainTable

TRAIN = TrainTable(np.array(["r0", "r1", "r2"], object), np.array([7, 7, 9]))


def neighbours(ids, rows):
    """Rows of training numbers as a Ranking with similarities 0.9, 0.8, ..."""
    indices = np.array(rows, np.int32)
    scores = np.where(indices >= 0, 0.9 - 0.1 * np.arange(indices.shape[1]), -np.inf).astype(np.float32)
    return Ranking(np.array(ids, object), TRAIN.ids, indices, scores)


def context(asked=None):
    found = {"test": neighbours(["q0", "q1"], [[0, 1], [2, -1]]), "index": neighbours(["i0", "i1", "i2"], [[2, 0], [0, 1], [-1, -1]])}

    def read(split):
        if asked is not None:
            asked.append(split)
        return found[split]

    return Context(TRAIN, read)


def ranking(queries, index, indices):
    indices = np.array(indices, np.int32)
    return Ranking(np.array(queries, object), np.array(index, object), indices, np.zeros(indices.shape, np.float32))


def test_votes_are_those_of_the_ranking_s_own_images_in_their_order():
    queries, images = context().votes(ranking(["q1"], ["i2", "i0"], [[0, 1]]), 2)
    assert queries.labels[0] == images.labels[1] >= 0 and images.labels[0] == -1
    np.testing.assert_allclose(queries.scores, [0.45], rtol=1e-6)  # 0.9 of one neighbour out of two


def test_neighbours_are_read_once_and_votes_kept():
    asked = []
    room = context(asked)
    for k in (1, 2, 1):
        room.votes(ranking(["q0", "q1"], ["i0", "i1", "i2"], [[0], [1]]), k)
    assert asked == ["test", "index"]


def test_more_neighbours_than_were_searched_for_is_the_user_s_to_mend():
    with pytest.raises(UserError, match="search.train_neighbours=3"):
        context().votes(ranking(["q0"], ["i0"], [[0]]), 3)


def test_every_step_that_can_be_configured_exists():
    assert set(STEPS) == set(chain.STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_keeps_a_ranking_s_promises_and_takes_an_empty_one(name):
    from landmarks.config import load_config

    settings = load_config(None, [f"rerank=[{{step: {name}, neighbours: 2}}]"]).rerank[0]
    before = ranking(["q0", "q1"], ["i0", "i1", "i2"], [[0, 2, 1], [1, -1, -1]])
    before = Ranking(before.query_ids, before.index_ids, before.indices, np.where(before.indices >= 0, 0.5, -np.inf).astype(np.float32))
    after = STEPS[name](before, context(), settings)  # the type checks itself
    assert after.indices.shape == (2, 3) and after.indices[0, 0] == 1, "q0 and i1 both have label 7"
    empty = Ranking(before.query_ids[:0], before.index_ids, before.indices[:0], before.scores[:0])
    assert STEPS[name](empty, context(), settings).indices.shape == (0, 3)
