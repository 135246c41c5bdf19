import math

import numpy as np
import pytest

from landmarks.metrics import places
from landmarks.metrics.places import found_within, near_places


def near_by_hand(queries, index, metres, headings=None, degrees=None):
    rows = []
    for q, (e, n) in enumerate(queries):
        row = []
        for i, (east, north) in enumerate(index):
            if math.dist((e, n), (east, north)) > metres:
                continue
            if degrees is not None:
                turn = abs(headings[0][q] - headings[1][i]) % 360
                if min(turn, 360 - turn) > degrees:
                    continue
            row.append(i)
        rows.append(row)
    return rows


def as_rows(truth, offsets):
    return [truth[a:b].tolist() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]


def test_the_limit_itself_is_near():
    queries = np.array([[100.0, 100.0]])
    index = np.array([[125.0, 100.0], [125.01, 100.0], [115.0, 120.0], [100.0, 100.0]])  # 25, 25.01, 25 (15, 20), 0 metres
    assert as_rows(*near_places(queries, index)) == [[0, 2, 3]]


def test_headings_are_compared_around_the_circle():
    queries, index = np.zeros((1, 2)), np.zeros((4, 2))
    headings = np.array([350.0]), np.array([30.0, 31.0, 310.0, 170.0])  # 40, 41, 40 and 180 degrees apart
    assert as_rows(*near_places(queries, index, 25, headings, 40)) == [[0, 2]]


@pytest.mark.parametrize("seed", range(20))
def test_random_places_equal_the_definition(seed, monkeypatch):
    monkeypatch.setattr(places, "_PAIRS", 100)  # several blocks of queries
    rng = np.random.default_rng(seed)
    queries, index = (
        rng.integers(0, 60, (17, 2)).astype(float),
        rng.integers(0, 60, (31, 2)).astype(float),
    )  # whole metres: ties at the limit
    headings = rng.uniform(-180, 540, 17), rng.uniform(-180, 540, 31)
    assert as_rows(*near_places(queries, index, 10)) == near_by_hand(queries, index, 10)
    assert as_rows(*near_places(queries, index, 10, headings, 40)) == near_by_hand(queries, index, 10, headings, 40)


def test_a_limit_in_degrees_needs_headings():
    with pytest.raises(ValueError, match="needs headings"):
        near_places(np.zeros((1, 2)), np.zeros((1, 2)), degrees=40)


def test_recall_by_hand():
    truth, offsets = np.array([3, 4, 5], np.int32), np.array([0, 2, 2, 3])  # the second query has none
    predicted = np.array([[1, 4, 3], [1, 2, 3], [-1, -1, -1]], np.int32)
    assert found_within(predicted, truth, offsets, 1).tolist() == [False, False, False]
    assert found_within(predicted, truth, offsets, 2).tolist() == [True, False, False]
    assert found_within(predicted, truth, offsets, 20).tolist() == [True, False, False]


@pytest.mark.parametrize("at", [1, 5, 20])
def test_random_recall_equals_the_definition(at):
    rng = np.random.default_rng(at)
    rows = [rng.permutation(50)[: rng.integers(0, 6)].tolist() for _ in range(100)]
    predicted = np.array([rng.permutation(50)[:10] for _ in range(100)], np.int32)
    predicted[::7, 4:] = -1
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    truth = np.array([image for row in rows for image in row], np.int32)
    expected = [any(image in row for image in line[:at]) for line, row in zip(predicted.tolist(), rows, strict=True)]
    assert found_within(predicted, truth, offsets, at).tolist() == expected


def test_without_queries_or_index():
    truth, offsets = near_places(np.empty((0, 2)), np.zeros((3, 2)))
    assert len(truth) == 0 and offsets.tolist() == [0]
    truth, offsets = near_places(np.zeros((2, 2)), np.empty((0, 2)))
    assert len(truth) == 0 and offsets.tolist() == [0, 0, 0]
