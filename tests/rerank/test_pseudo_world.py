import numpy as np

from landmarks.config import load_config
from landmarks.ranking import Space
from landmarks.rerank.context import Context
from landmarks.rerank.pseudo_world import make_pseudo_world, split_training
from landmarks.rerank.steps.fuse import Fuse


def settings(**changes):
    return Fuse(**changes)


def in_parts(labels):
    parts = split_training(labels, settings())
    return [parts.train, parts.index, parts.test]


def landmarks(count=40, images=10, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(count), images))


def test_no_image_plays_two_parts_and_a_share_of_the_landmarks_is_unknown():
    labels = landmarks()
    parts = split_training(labels, settings(unknown_share=0.25, query_share=0.2))
    every = [parts.train, parts.index, parts.test]
    rows = np.concatenate(every)
    assert len(np.unique(rows)) == len(rows) == 400 and all((np.diff(part) > 0).all() for part in every)
    known = set(labels[parts.train])
    assert len(known) == 30 and set(labels[parts.test]) == set(labels[parts.index]) == set(range(40))
    for landmark in range(40):
        of = [int((labels[part] == landmark).sum()) for part in every]
        assert of == ([4, 4, 2] if landmark in known else [0, 8, 2])


def test_the_numbers_of_the_landmarks_do_not_matter_and_the_seed_does():
    labels = landmarks()
    renamed = np.random.default_rng(1).permutation(40)[labels]
    for one, other in zip(in_parts(labels), in_parts(renamed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert split_training(labels, settings(seed=1)).test.tolist() != split_training(labels, settings()).test.tolist()


def test_limits_hold():
    parts = split_training(landmarks(), settings(queries=7, index_images=90))
    assert len(parts.test) == 7 and len(parts.index) <= 90
    assert set(landmarks()[parts.test]) <= set(landmarks()[parts.index])


def test_landmarks_of_fewer_than_three_images_play_no_part():
    for labels in (np.repeat(np.arange(9), 2), np.arange(0)):
        assert [len(part) for part in in_parts(labels)] == [0, 0, 0]


def small(count_inliers=None):
    """Twelve landmarks of nine images."""
    labels = np.repeat(np.arange(12), 9)
    rows = np.eye(12)[labels] + 0.2 * np.random.default_rng(0).standard_normal((108, 12))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Context(Space(vectors[:1], vectors[:2], vectors), labels, lambda split: vectors, count_inliers=count_inliers)


def world(chain="[]", count_inliers=None):
    context = small(count_inliers)
    chain = load_config(None, [f"rerank={chain}"]).rerank
    return make_pseudo_world(context, chain, split_training(context.labels, settings()), 20), context.labels


def test_the_chain_is_run_and_the_answers_are_those_of_train():
    made, labels = world("[{step: add_labels, neighbours: 4}, {step: expand_query, neighbours: 3}]")
    assert made.ranking.space.test.shape[1] > 12, "the labels' part of the vectors"
    rows = made.ranking.query_ids.astype(int), made.ranking.index_ids.astype(int)
    np.testing.assert_array_equal(made.query_labels, labels[rows[0]])
    np.testing.assert_array_equal(made.index_labels, labels[rows[1]])
    assert not set(rows[0]) & set(rows[1])
    truth, starts = made.truth
    for query, label in enumerate(made.query_labels):
        assert truth[starts[query] : starts[query + 1]].tolist() == np.flatnonzero(made.index_labels == label).tolist()
    first = made.index_labels[made.ranking.indices[:, 0]]
    assert (first == made.query_labels).mean() > 0.9


def test_verification_ahead_of_it_is_of_pairs_of_training_images():
    asked = []

    def count(of, among, first, second):
        assert (of, among) == ("train", "train")
        asked.append(np.column_stack([first, second]))
        return 10 * (second % 2)

    made, labels = world("[{step: verify, top: 4, min_inliers: 1}]", count)
    parts = split_training(labels, settings())
    pairs = np.concatenate(asked)
    assert len(pairs) == 4 * len(parts.test) and set(pairs[:, 0]) == set(parts.test) and set(pairs[:, 1]) <= set(parts.index)
    verified = parts.index[made.ranking.indices[:, :4]] % 2
    assert (np.diff(verified) <= 0).all(), "those with inliers stand first"


def test_the_images_that_verification_will_ask_for_are_known_before():
    asked = []

    def count(of, among, first, second):
        asked.extend([first, second])
        return np.zeros(len(first), np.int64)

    chain = load_config(None, ["rerank=[{step: add_labels}, {step: verify, top: 3}, {step: fuse, query_share: 0.3}]"]).rerank
    context = small(count)
    needed = chain[2].training_rows(context, chain[:2], 20)
    assert not asked
    make_pseudo_world(context, chain[:2], split_training(context.labels, chain[2]), 20)
    np.testing.assert_array_equal(needed, np.unique(np.concatenate(asked)))
    lonely = Context(context.base, np.arange(108), context.descriptors, count_inliers=count)
    assert len(chain[2].training_rows(lonely, chain[:2], 20)) == 0
