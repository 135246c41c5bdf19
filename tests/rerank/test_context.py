import gc
from dataclasses import replace

import numpy as np
import pytest

from landmarks.config import load_config, step_class, step_names
from landmarks.errors import UserError
from landmarks.ranking import Ranking, Space
from landmarks.rerank import context as module
from landmarks.rerank.context import Context
from landmarks.search.spaces import nearest


def unit(rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Three directions; train has two images of landmark 7 along the first and one of landmark 9 along the second.
TRAIN = unit([[1, 0.1, 0], [1, 0, 0.1], [0, 1, 0]])
INDEX = unit([[0.1, 1, 0], [1, 0.2, 0], [0, 0.3, 1], [1, 0, 0.2]])
TEST = unit([[1, 0.1, 0.1], [0, 1, 0.1]])
LANDMARKS = np.array([7, 7, 9])


def context(base=None):
    base = base or Space(TEST, INDEX, TRAIN)
    return Context(
        base,
        LANDMARKS,
        lambda split: base.vectors(split),
        count_inliers=lambda of, among, query, index: 10 * (index == 1) + (query == 1),
        junk=lambda difficulty: [np.array([0])] * len(base.test),
    )


def ranking(indices=((0, 1, 2), (1, 0, -1))):
    indices = np.array(indices, np.int32).reshape(-1, 3)
    scores = np.where(indices >= 0, 0.5, -np.inf).astype(np.float32)
    return Ranking(np.array(["q0", "q1"][: len(indices)], object), np.array(["i0", "i1", "i2", "i3"], object), indices, scores)


def test_votes_are_of_the_nearest_training_images():
    queries, images = context().votes(ranking(), 2)
    assert queries.labels.tolist() == [0, 1] and images.labels.tolist() == [1, 0, 1, 0]
    similar = np.sort(TRAIN @ TEST[0])[::-1][:2]
    np.testing.assert_allclose(queries.scores[0], similar.mean(), rtol=1e-6)


def test_votes_follow_the_space_of_the_ranking():
    turned = Space(TEST[::-1].copy(), INDEX, TRAIN)
    searched = context().search(ranking(), turned)
    assert context().votes(searched, 2)[0].labels.tolist() == [1, 0]
    assert searched.space is turned and searched.indices.shape == (2, 3)


def test_neighbours_of_a_split_in_itself_leave_the_image_out():
    indices, similarities = context().nearest(context().base, "index", "index", 2)
    assert indices.tolist()[1] == [3, 0] and (np.diff(similarities, axis=1) <= 0).all()
    copies = np.repeat(INDEX[:1], 4, axis=0)
    indices, _ = context().nearest(Space(TEST, copies, TRAIN), "index", "index", 2)
    assert all(row not in found for row, found in enumerate(indices.tolist()))


@pytest.mark.parametrize("name", sorted(set(step_names()) - {"fuse"}))  # which learns, so that it wants a larger world: test_fuse.py
def test_every_step_keeps_a_ranking_s_promises_and_takes_an_empty_one(name):
    needed = {"penalise_non_landmarks": ", landmark_ids: [9]", "classify": ", hidden: 8, dimensions: 4", "diffuse": ", alpha: 0.1"}.get(
        name, ""
    )
    settings = load_config(None, [f"rerank=[{{step: {name}{needed}}}]"]).rerank[0]
    after = settings.apply(ranking(), context())  # the type checks itself
    assert after.indices.shape == (2, 3) and after.indices[0, 0] in (1, 3), "q0, i1 and i3 are all of landmark 7"
    assert (after.space is not None) == step_class(name).searches
    nothing = context(Space(TEST[:0], INDEX, TRAIN))
    assert settings.apply(ranking(()), nothing).indices.shape == (0, 3)


def counted(monkeypatch):
    """Which (split, neighbours) were searched for votes."""
    searched = []

    def nearest(space, of, among, neighbours, use_gpu):
        searched.append((of, neighbours))
        return known(space, of, among, neighbours, use_gpu)

    known = module.nearest
    monkeypatch.setattr(module, "nearest", nearest)
    return searched


def test_votes_are_found_once_for_each_space_and_number_of_neighbours(monkeypatch):
    searched, voting = counted(monkeypatch), context()
    first = voting.votes(ranking(), 2)
    again = voting.after(load_config(None, ["rerank=sort"]).rerank).votes(ranking(), 2)
    assert searched == [("test", 2), ("index", 2)] and all(one is other for one, other in zip(first, again, strict=True))
    voting.votes(ranking(), 1)
    moved = voting.search(ranking(), Space(TEST.copy(), INDEX.copy(), TRAIN))
    voting.votes(moved, 2)
    assert searched[2:] == [("test", 2), ("index", 2)], "the nearest one is the first of two"


def test_votes_do_not_keep_a_space_in_memory():
    voting = context()
    voting.votes(voting.search(ranking(), Space(TEST, INDEX, TRAIN)), 2)
    gc.collect()
    assert list(voting._votes) == []
    voting.votes(ranking(), 2)
    assert list(voting._votes) == [voting.base]


def test_without_training_images_nobody_votes():
    nobody = Context(Space(TEST, INDEX, TRAIN[:0]), LANDMARKS[:0], lambda split: TRAIN[:0])
    assert nobody.classes == 0
    for votes in nobody.votes(ranking(), 2):
        assert set(votes.labels) == {-1} and not votes.scores.any()


def test_labels_are_numbered_from_zero_whatever_the_landmarks_numbers():
    base = Space(TEST, INDEX, TRAIN)
    found = Context(base, np.array([3, -8, 3]), base.vectors)
    assert found.labels.tolist() == [1, 0, 1] and found.classes == 2 and found.landmark_ids.tolist() == [3, -8, 3]


@pytest.mark.parametrize("numbers", [1, 1 << 25])
def test_similarities_to_the_first_images_in_blocks_of_any_size(monkeypatch, numbers):
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    cosines = TEST @ INDEX.T
    found = context().similarities(ranking(), 9)
    assert found.dtype == np.float32 and np.isneginf(found[1, 2])
    np.testing.assert_allclose(found[0], cosines[0, :3], rtol=1e-5)
    np.testing.assert_allclose(found[1, :2], cosines[1, [1, 0]], rtol=1e-5)
    np.testing.assert_array_equal(context().similarities(ranking(), 1), found[:, :1])


def test_similarities_are_those_of_the_space_of_the_ranking():
    stretched = Space(TEST * [2, 1, 1], INDEX * [2, 1, 1], TRAIN)
    searched = context().search(ranking(), stretched)
    np.testing.assert_allclose(context().similarities(searched, 3), np.sort(stretched.test @ stretched.index.T)[:, :0:-1], rtol=1e-5)


def test_the_nearest_come_first_whatever_a_step_made_of_the_order():
    indices, similarities = context().nearest_first(ranking())
    assert indices.tolist() == [[1, 0, 2], [0, 1, -1]] and indices.dtype == np.int32
    assert (np.diff(similarities[0]) <= 0).all() and np.isneginf(similarities[1, 2])
    same = Context(Space(TEST, np.repeat(INDEX[:1], 4, axis=0), TRAIN), LANDMARKS, lambda split: TRAIN)
    assert same.nearest_first(ranking(((2, 0, 3), (3, 1, -1))))[0].tolist() == [[2, 0, 3], [3, 1, -1]], "equals keep their places"


def test_a_search_finds_as_many_images_for_the_same_queries_by_similarity():
    before = ranking()
    after = context().search(before, Space(TEST, INDEX, TRAIN))
    expected = np.argsort(-TEST @ INDEX.T, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(after.indices, expected)
    np.testing.assert_allclose(after.scores, np.take_along_axis(TEST @ INDEX.T, expected, axis=1), rtol=1e-5)
    assert after.query_ids is before.query_ids and after.index_ids is before.index_ids
    few = context().search(before, Space(TEST, INDEX[:2], TRAIN))
    assert (few.indices[:, 2] == -1).all() and np.isneginf(few.scores[:, 2]).all()


def test_without_local_features_inliers_are_refused():
    none = Context(Space(TEST, INDEX, TRAIN), LANDMARKS, lambda split: TRAIN)
    with pytest.raises(UserError, match="no model of the configuration has them"):
        none.inliers("test", "index", np.array([0]), np.array([1]))
    assert context().inliers("test", "index", np.array([0, 1]), np.array([1, 0])).tolist() == [10, 1]


def test_descriptors_are_read_once_by_all_steps_of_a_chain():
    read = []
    reading = Context(Space(TEST, INDEX, TRAIN), LANDMARKS, lambda split: read.append(split) or TRAIN)
    for each in (reading, reading.after(()), reading.after(())):
        assert each.descriptors("train") is TRAIN
    reading.descriptors("test")
    assert read == ["train", "test"]


def test_each_step_has_attachments_of_its_own():
    chain, whole = load_config(None, ["rerank=sort"]).rerank, context()
    first, second = whole.after(()), whole.after(chain)
    first.attach("a.txt", "first")
    assert (first.chain, second.chain) == ((), chain)
    assert (first.attachments, second.attachments, whole.attachments) == ({"a.txt": "first"}, {}, {})


def test_what_a_search_has_found_and_what_a_step_has_left_as_it_was_are_not_searched_again(monkeypatch):
    searching = context()
    first = searching.search(ranking(), Space(TEST, INDEX, TRAIN))
    searching.nearest(first.space, "index", "index", 3)
    searching.nearest(first.space, "test", "train", 2)
    turned = searching.search(first, replace(first.space, test=TEST[::-1].copy()))
    expected = [nearest(turned.space, "test", "index", 2), nearest(turned.space, "index", "index", 2)]
    monkeypatch.setattr(module, "nearest", lambda *asked: pytest.fail(f"searched for {asked[1:]}"))
    found = [searching.nearest(turned.space, of, "index", 2) for of in ("test", "index")]
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(pytest.fail.Exception, match="'test', 'train'"):
        searching.nearest(turned.space, "test", "train", 2)
