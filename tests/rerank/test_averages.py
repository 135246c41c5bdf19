"""Whom the steps augment_database and expand_query average with, one image at a time in float64."""

import numpy as np
import pytest

from landmarks.ranking import Space
from landmarks.rerank.context import Context
from landmarks.rerank.steps.augment_database import AugmentDatabase
from landmarks.rerank.steps.expand_query import ExpandQuery


@pytest.fixture(scope="module")
def searched():
    random = np.random.default_rng(0)
    rows = random.standard_normal((60, 6)) + 1.5 * np.eye(5, 6)[np.arange(60) % 5]
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    context = Context(Space(rows[:15], rows[15:], rows[:2]), np.arange(2), lambda split: rows)
    return context, context.search_first(np.arange(15).astype(str), np.arange(45).astype(str), 20)


def nearest_lists(rows, count):
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1)[:, :count]


def mean_of(row, others):
    total = row + sum(max(row @ other, 0) ** 2 * other for other in others)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize("mutual, block", [(False, 65536), (True, 65536), (True, 7)])
def test_index_images_are_averaged_with_those_that_list_them_too(searched, mutual, block, monkeypatch):
    monkeypatch.setattr("landmarks.ops.rows.BLOCK", block)
    context, ranking = searched
    made = AugmentDatabase(neighbours=4, mutual=mutual).apply(ranking, context).space.index
    rows = context.base.index.astype(float)
    lists = nearest_lists(rows, 4)
    kept = [[j for j in lists[i] if not mutual or i in lists[j]] for i in range(45)]
    assert made.dtype == np.float16, "as it is stored: what is found in it then stays true"
    np.testing.assert_allclose(made.astype(float), [mean_of(rows[i], rows[kept[i]]) for i in range(45)], atol=3e-4)
    assert sum(map(len, kept)) < 180 or not mutual


@pytest.mark.parametrize("step, own", [(AugmentDatabase(), "index"), (ExpandQuery(), "test")])
def test_the_vectors_of_other_splits_stay_the_same_arrays(searched, step, own):
    context, ranking = searched
    space = step.apply(ranking, context).space
    assert step.changes == (own,)
    assert [split for split in ("test", "index", "train") if space.vectors(split) is not context.base.vectors(split)] == [own]


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_queries_are_averaged_with_images_that_they_are_within_reach_of(searched, reach):
    context, ranking = searched
    made = ExpandQuery(neighbours=5, reach=reach).apply(ranking, context).space.test
    rows, queries = context.base.index.astype(float), context.base.test.astype(float)
    lists = nearest_lists(rows, max(reach, 1))
    for query, row in enumerate(queries):
        found = np.argsort(-(rows @ row))[:5]
        kept = [j for j in found if reach == 0 or row @ rows[j] >= rows[j] @ rows[lists[j][-1]]]
        np.testing.assert_allclose(made[query], mean_of(row, rows[kept]), atol=1e-5)


def test_an_index_with_fewer_images_than_the_reach_is_within_reach(searched):
    context, ranking = searched
    plain, reached = (ExpandQuery(neighbours=5, reach=reach).apply(ranking, context).space.test for reach in (0, 500))
    np.testing.assert_array_equal(plain, reached)
