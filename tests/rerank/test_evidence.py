"""Which candidates are looked at, and what is known of each; the formulas are those of ops/fusion_features.py."""

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.ranking import Ranking, Space
from landmarks.rerank import evidence as module
from landmarks.rerank.context import Context
from landmarks.rerank.evidence import Evidence


def at_degrees(*angles):
    return np.array([[np.cos(a), np.sin(a)] for a in np.radians(angles)], np.float32)


# Train has two landmarks, 0 around 0 degrees and 1 around 90; the third index image is between them, the fourth opposite.
TRAIN, LABELS = at_degrees(-4, 0, 4, 86, 90, 94), np.array([7, 7, 7, 9, 9, 9])
INDEX, TEST = at_degrees(10, 80, 43, 200), at_degrees(5, 88)
BASE = Space(TEST, INDEX, TRAIN)


def context(base=BASE, labels=LABELS):
    return Context(base, labels, base.vectors)


def ranking(*rows, space=None):
    indices = np.array(rows, np.int32)
    scores = np.where(indices >= 0, 0.5, -np.inf).astype(np.float32)
    return Ranking(np.array(["q0", "q1"], object), np.array(["a", "b", "c", "d"], object), indices, scores, space)


def column(evidence, name):
    """(n_query, candidates), NaN where there is none."""
    values = np.full(evidence.candidates.shape, np.nan)
    values[evidence.candidates >= 0] = evidence.table(np.arange(2))[:, evidence.names.index(name)]
    return values


def test_candidates_are_the_lists_and_what_the_first_search_and_the_classifier_find_beyond(monkeypatch):
    opposite = Space(at_degrees(200, 200), INDEX, TRAIN)  # where d is the nearest, and b the next
    monkeypatch.setattr(module, "space_with_classifier", lambda *settings: opposite)
    rows = [3, -1], [1, 0]
    assert Evidence(ranking(*rows), context(), False).candidates.tolist() == [[3, -1], [1, 0]]
    lists = ranking(*rows, space=Space(TEST, INDEX, TRAIN))
    assert Evidence(lists, context(), False).candidates.tolist() == [[3, 0, 2], [1, 0, 2]], "the first search finds a, c and b, c"
    assert Evidence(ranking(*rows), context(), True).candidates.tolist() == [[3, 1, -1], [1, 0, 3]]
    assert Evidence(lists, context(), True).candidates.tolist() == [[3, 0, 2, 1], [1, 0, 2, 3]]


def test_each_space_has_the_same_columns_under_its_own_name(monkeypatch):
    monkeypatch.setattr(module, "space_with_classifier", lambda *settings: Space(TEST, INDEX, TRAIN))
    plain = Evidence(ranking([0, 1], [1, 2]), context(), False).names
    both = Evidence(ranking([0, 1], [1, 2], space=Space(TEST, INDEX, TRAIN)), context(), True).names
    own = plain[1:]
    assert plain[0] == "reciprocal rank" and "similarity" in own
    assert both == plain + [f"{name} in the first search" for name in own] + [f"{name} to the classifier" for name in own]


def test_what_is_found_beyond_the_list_has_no_place_in_it():
    evidence = Evidence(ranking([3, -1], [1, 0], space=Space(TEST.copy(), INDEX, TRAIN)), context(), False)
    np.testing.assert_array_equal(column(evidence, "reciprocal rank"), [[1, 0, 0], [1, 1 / 2, 0]])


def test_similarities_and_labels_are_those_of_the_space_that_the_column_names():
    turned = Space(at_degrees(200, 200), INDEX, TRAIN)
    evidence = Evidence(ranking([3, 0], [1, 0], space=turned), context(), False)
    for name, queries in (("similarity", turned.test), ("similarity in the first search", TEST)):
        expected = np.einsum("qkd,qd->qk", INDEX[evidence.candidates], queries)
        expected[evidence.candidates < 0] = np.nan
        np.testing.assert_allclose(column(evidence, name), expected, atol=1e-6)
    known = "labels known of the query"
    assert np.nanmax(column(evidence, known)) == 0, "no training image is on that side"
    assert np.nanmin(column(evidence, f"{known} in the first search")) > 0.9


def test_votes_of_the_nearest_training_images():
    evidence = Evidence(ranking([0, 1, 3], [1, 0, 2]), context(), False)
    same, of_query, of_image = (column(evidence, name) for name in ("same vote", "vote for the query", "vote for the image"))
    assert same[:, :2].tolist() == [[1, 0], [1, 0]]
    np.testing.assert_allclose(of_query, np.repeat([[np.mean(TRAIN[:3] @ TEST[0])], [np.mean(TRAIN[3:] @ TEST[1])]], 3, axis=1), rtol=1e-5)
    np.testing.assert_allclose(of_image[0, :2], [np.mean(TRAIN[:3] @ INDEX[0]), np.mean(TRAIN[3:] @ INDEX[1])], rtol=1e-5)


def test_without_training_images_labels_are_unknown():
    nobody = context(Space(TEST, INDEX, TRAIN[:0]), LABELS[:0])
    evidence = Evidence(ranking([0, 1, 3], [1, 0, 2]), nobody, False)
    assert np.isnan(column(evidence, "same vote")).all()
    assert not column(evidence, "labels known of the query").any() and not column(evidence, "label agreement").any()


@pytest.mark.parametrize("first", [1, 10])
def test_density_is_the_mean_similarity_to_the_nearest_index_images(monkeypatch, first):
    monkeypatch.setattr(module, "FIRST", first)
    evidence = Evidence(ranking([0, 1, 3], [1, 0, 2]), context(), False)
    cosines = INDEX @ INDEX.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = -np.sort(-cosines, axis=1)[:, : min(first, 3)]  # an image is no neighbour of itself
    np.testing.assert_allclose(column(evidence, "density around the image"), nearest.mean(axis=1)[evidence.candidates], rtol=1e-5)


def test_inliers_are_asked_for_where_the_step_before_verified_and_for_no_image_behind():
    asked = []

    def count(of, among, first, second):
        asked.extend(zip(first.tolist(), second.tolist(), strict=True))
        return 10 * first + second

    verified = Context(BASE, LABELS, BASE.vectors, count_inliers=count).after(load_config(None, ["rerank=[{step: verify, top: 2}]"]).rerank)
    evidence = Evidence(ranking([2, 0, 1], [3, -1, -1]), verified, False)
    assert not asked
    np.testing.assert_array_equal(column(evidence, "inliers"), [[2, 0, np.nan], [13, np.nan, np.nan]])
    assert sorted(asked) == [(0, 0), (0, 2), (1, 3)]
