from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landmarks.ranking import Ranking, Space


def ranking(indices, scores, queries=1, images=4):
    ids = np.array([f"i{n}" for n in range(images)], object)
    return Ranking(ids[:queries], ids, np.array(indices, np.int32), np.array(scores, np.float32))


def test_a_good_ranking_passes_and_takes_a_new_order():
    good = ranking([[2, 0, -1]], [[0.9, 0.9, -np.inf]])
    moved = good.with_order(np.array([[0, 2, -1]], np.int32))
    assert moved.indices.tolist() == [[0, 2, -1]] and moved.scores.tolist() == [[3, 2, -np.inf]]
    assert ranking(np.empty((0, 3)), np.empty((0, 3)), queries=0).indices.shape == (0, 3)


@pytest.mark.parametrize(
    ("indices", "scores", "message"),
    [
        ([[4, 0]], [[1, 0]], "outside"),
        ([[-2, 0]], [[1, 0]], "outside"),
        ([[-1, 0]], [[1, 0]], "before the end"),
        ([[1, 0]], [[0, 1]], "increase"),
        ([[1, 0]], [[np.nan, 1]], "not numbers"),
        ([[1, 2, 1]], [[3, 2, 1]], "twice"),
        ([[1, 2]], [[3]], "disagree"),
    ],
)
def test_a_broken_ranking_is_refused(indices, scores, message):
    with pytest.raises(ValueError, match=message):
        ranking(indices, scores)


def test_types_are_checked():
    with pytest.raises(ValueError, match="int32"):
        Ranking(np.array(["q"]), np.array(["i"]), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32))


def test_a_space_with_other_vectors_is_not_the_stored_one():
    stored = Space.stored({split: np.eye(3) for split in ("test", "index", "train")}, Path("space"), {"ranking": "abc"})
    assert (stored.folder, stored.made) == (Path("space"), {"ranking": "abc"})
    changed = replace(stored, test=np.ones((2, 3)))
    assert changed.folder is None and changed.made == {} and changed.index is stored.index
