from dataclasses import replace

import numpy as np

from landmarks.config import chain_names, load_config
from landmarks.ranking import Space
from landmarks.rerank.context import Context
from landmarks.rerank.parts import split_training
from landmarks.rerank.pseudo_world import PseudoWorld, make_pseudo_world
from landmarks.rerank.steps.fuse import Fuse


def draw(**changes):
    return replace(Fuse().draw(), **changes)


def landmarks(count=40, images=10, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(count), images))


def small(count_inliers=None):
    """Twelve landmarks of nine images."""
    labels = np.repeat(np.arange(12), 9)
    rows = np.eye(12)[labels] + 0.2 * np.random.default_rng(0).standard_normal((108, 12))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Context(Space(vectors[:1], vectors[:2], vectors), labels, lambda split: vectors, count_inliers=count_inliers)


def world(chain="[]", count_inliers=None):
    context = small(count_inliers)
    chain = load_config(None, [f"rerank={chain}"]).rerank
    return make_pseudo_world(context, chain, split_training(context.labels, None, draw()), 20), context.labels


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
    parts = split_training(labels, None, draw())
    pairs = np.concatenate(asked)
    assert len(pairs) == 4 * len(parts.test) and set(pairs[:, 0]) == set(parts.test) and set(pairs[:, 1]) <= set(parts.hidden)
    verified = parts.hidden[made.ranking.indices[:, :4]] % 2
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
    make_pseudo_world(context, chain[:2], split_training(context.labels, None, chain[2].draw_of_train_alone), 20)
    np.testing.assert_array_equal(needed, np.unique(np.concatenate(asked)))
    lonely = Context(context.base, np.arange(108), context.descriptors, count_inliers=count)
    assert len(chain[2].training_rows(lonely, chain[:2], 20)) == 0
    few = Context(context.base, np.minimum(context.labels, 3), context.descriptors, count_inliers=count)
    asked.clear()
    assert len(chain[2].training_rows(few, chain[:2], 20)) == 0 and not asked, "of four landmarks nothing is learned"


def test_the_real_index_is_in_the_lists_with_training_images_hidden_behind_it():
    context = small()
    parts = split_training(context.labels, np.array([3, -1]), draw(unknown_share=0))
    assert parts.index.tolist() == [1], "a hidden image of landmark 3 stands for its index image"
    made = make_pseudo_world(context, (), parts, 20)
    np.testing.assert_array_equal(made.context.base.index, np.concatenate([context.base.index[1:], context.base.train[parts.hidden]]))
    np.testing.assert_array_equal(made.context.descriptors("index")[1:], context.base.train[parts.hidden])
    assert made.index_labels.tolist() == [-1, *context.labels[parts.hidden]]
    assert made.ranking.index_ids[0] == "index 1" and made.ranking.index_ids[1:].tolist() == [str(row) for row in parts.hidden]


def test_images_that_nobody_knows_are_taken_out_before_a_list_is_scored():
    world = PseudoWorld(None, None, np.array([0, 1]), np.array([-1, 0, 0, 1, -1]))
    lists = np.array([[0, 1, 3, 4, 2], [4, 0, 2, 3, -1]], np.int32)
    assert world.judged(lists).tolist() == [[False, True, True, False, True], [False, False, True, True, False]]
    np.testing.assert_allclose(world.average_precision(lists), [(1 + 2 / 3) / 2, 1 / 2])


def test_what_a_chain_made_is_kept_for_the_chains_that_begin_with_it(monkeypatch):
    context, made = small(), []
    chain = load_config(None, ["rerank=expand_query,diffuse"]).rerank
    for step in chain:
        monkeypatch.setattr(type(step), "apply", lambda self, ranking, context: made.append(self.step) or ranking)
    parts = split_training(context.labels, None, draw())
    for steps in (1, 2, 2):
        world = make_pseudo_world(context.after(chain[:1]), chain[:steps], parts, 20)
        assert world.context.chain == chain[:steps]
    assert made == ["expand_query", "diffuse"]
    make_pseudo_world(context, chain[:1], split_training(context.labels, None, draw(seed=1)), 20)
    assert made == ["expand_query", "diffuse", "expand_query"], "in another world it is made again"


def test_of_another_chain_nothing_is_kept_but_the_steps_that_both_begin_with():
    context = small()
    first, other = (load_config(None, [f"rerank={chain}"]).rerank for chain in ("expand_query,add_labels,diffuse", "expand_query,diffuse"))
    parts = split_training(context.labels, None, draw())
    before = make_pseudo_world(context, first, parts, 20).ranking
    ((_, made),) = context.pseudo_worlds.values()
    assert list(made) == chain_names(first)
    make_pseudo_world(context, other, parts, 20)
    assert list(made) == chain_names(other), "an ablation does not hold the vectors of all its chains"
    again = make_pseudo_world(context, first, parts, 20).ranking
    np.testing.assert_array_equal(again.indices, before.indices)
