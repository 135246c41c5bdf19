import numpy as np
import pytest

from landmarks.ops.two_stage import insert_step, sort_step
from landmarks.ops.voting import Votes


def votes(labels, scores=None):
    return Votes(np.array(labels, np.int64), np.array(scores if scores is not None else [0.5] * len(labels), np.float32))


def sort_one_by_one(row, label, index_labels):
    if label < 0:
        return list(row)
    found = [image for image in row if image >= 0]
    same, other = ([image for image in found if (index_labels[image] == label) == wanted] for wanted in (True, False))
    return same + other + [-1] * (len(row) - len(found))


def insert_one_by_one(row, label, score, index, threshold):
    found = [image for image in row if image >= 0]
    same = [image for image in found if label >= 0 and index.labels[image] == label]
    candidates = [image for image in range(len(index.labels)) if label >= 0 and index.labels[image] == label and image not in found]
    candidates = [image for image in candidates if np.float32(score) + index.scores[image] > np.float32(threshold)]
    candidates.sort(key=lambda image: -index.scores[image])  # stable: index order among equals
    result = same + candidates + [image for image in found if image not in same]
    return (result + [-1] * len(row))[: len(row)]


def test_the_worked_example_of_the_paper_s_two_steps():
    """i1..i5 with labels B A A C B are retrieved; i7 (0.4), i6 (0.3) and i8 (0.05) of label A are not; the list is cut at 5."""
    A, B, C = 0, 1, 2
    index = votes([B, A, A, C, B, A, A, A], [0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.4, 0.05])
    query = votes([A], [0.5])
    ranked = np.array([[0, 1, 2, 3, 4]], np.int32)
    ordered = sort_step(ranked, query, index)
    assert ordered.tolist() == [[1, 2, 0, 3, 4]]
    assert insert_step(ordered, query, index, 0.6).tolist() == [[1, 2, 6, 5, 0]]


@pytest.mark.parametrize("seed", range(6))
def test_both_steps_equal_their_plain_twins_on_random_data_with_ties(seed):
    rng = np.random.default_rng(seed)
    queries, images, k = 60, 80, 12
    index = votes(rng.integers(-1, 5, images), rng.integers(0, 9, images) / 8)
    query = votes(rng.integers(-1, 6, queries), rng.integers(0, 9, queries) / 8)
    ranked = np.stack([rng.permutation(images)[:k] for _ in range(queries)]).astype(np.int32)
    for row, empty in zip(ranked, rng.integers(0, k + 1, queries), strict=True):
        row[k - empty // 2 :] = -1
    ordered = sort_step(ranked, query, index)
    assert ordered.tolist() == [sort_one_by_one(row, label, index.labels) for row, label in zip(ranked, query.labels, strict=True)]
    for start in (ranked, ordered):  # the insert-step partitions a row that was not sorted before
        inserted = insert_step(start, query, index, 0.6)
        assert inserted.tolist() == [
            insert_one_by_one(row, label, score, index, 0.6)
            for row, label, score in zip(start.tolist(), query.labels, query.scores, strict=True)
        ]


def test_a_permutation_of_the_queries_permutes_the_result():
    rng = np.random.default_rng(9)
    index, query = votes(rng.integers(0, 4, 50), rng.random(50)), votes(rng.integers(0, 4, 20), rng.random(20))
    ranked = np.stack([rng.permutation(50)[:10] for _ in range(20)]).astype(np.int32)
    order = rng.permutation(20)
    np.testing.assert_array_equal(insert_step(ranked[order], query.rows(order), index, 0.6), insert_step(ranked, query, index, 0.6)[order])


def test_the_threshold_is_exceeded_not_reached():
    index, query = votes([0, 0], [0.25, 0.5]), votes([0], [0.25])
    assert insert_step(np.full((1, 2), -1, np.int32), query, index, 0.5).tolist() == [[1, -1]]


def test_nothing_to_do():
    index, none = votes([0, 1]), np.empty((0, 3), np.int32)
    assert sort_step(none, votes([]), index).shape == (0, 3)
    assert insert_step(none, votes([]), index, 0.6).shape == (0, 3)
    assert insert_step(np.empty((2, 0), np.int32), votes([0, 1]), index, 0.6).shape == (2, 0)
    empty = np.full((1, 3), -1, np.int32)
    assert sort_step(empty, votes([-1]), index).tolist() == [[-1, -1, -1]]
    assert insert_step(empty, votes([-1]), votes([-1, -1]), 0.0).tolist() == [[-1, -1, -1]], "no label is no label in common"
