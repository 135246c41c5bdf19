"""What the fusion makes of scores that are given: folds, the limit of overfitting, the blend and the order; its model is test_fuse.py's."""

import numpy as np
import pytest

from landmarks.ranking import Ranking, Space
from landmarks.rerank import fusion as module
from landmarks.rerank.context import Context
from landmarks.rerank.pseudo_world import PseudoWorld
from landmarks.rerank.steps.fuse import Fuse

LANDMARKS, QUERIES, WIDTH = 13, 3, 5
UNJUDGED = LANDMARKS  # the last index image, which nobody knows, stands first in every list


def world(true_place):
    """Three queries a landmark, one hidden image each; the true one is at `true_place` of what is judged of every list, 0 = first."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(LANDMARKS), QUERIES))
    others = (labels[:, None] + np.arange(1, WIDTH - 1)) % LANDMARKS
    judged = np.insert(others, true_place, labels, axis=1)
    indices = np.insert(judged, 0, UNJUDGED, axis=1).astype(np.int32)
    scores = np.tile(np.arange(WIDTH, 0, -1, dtype=np.float32), (len(labels), 1))
    ranking = Ranking(np.arange(len(labels)).astype(str), np.arange(LANDMARKS + 1).astype(str), indices, scores)
    vectors = np.ones((9, 2), np.float32)
    context = Context(Space(vectors, vectors, vectors), np.arange(9), lambda split: vectors)  # the landmarks from 9 on are unknown
    return PseudoWorld(context, ranking, labels, np.append(np.arange(LANDMARKS), -1))


@pytest.fixture
def learn(monkeypatch):
    """learn(world, scores): what the fusion learns where cross-validation gives these scores (queries, WIDTH); with what it was given."""
    seen = {}

    class Evidence:
        def __init__(self, ranking, context, classifier):
            self.candidates, self.names = ranking.indices, ["place"]

        def table(self, queries):
            return np.zeros((len(queries) * WIDTH, 1), np.float32)

    def cross_validated_scores(table, judged, relevant, per_query, folds, train):
        seen.update(judged=judged, relevant=relevant, per_query=per_query, folds=folds)
        return seen["scores"].ravel()

    def train_ranker(table, relevant, per_query, **settings):
        seen["final"] = len(table), int(relevant.sum()), per_query.tolist()
        return "model"

    monkeypatch.setattr(module, "Evidence", Evidence)
    monkeypatch.setattr(module, "cross_validated_scores", cross_validated_scores)
    monkeypatch.setattr(module, "train_ranker", train_ranker)

    def run(made, scores, seed=0):
        seen["scores"] = scores
        return module.learn_fusion(made, Fuse(classifier=False, seed=seed)), seen

    return run


def test_no_landmark_is_in_two_folds_and_the_seed_draws_them(learn):
    made, folds = world(1), {}
    for seed in (0, 1):
        folds[seed] = learn(made, np.zeros((39, WIDTH)), seed)[1]["folds"]
    of_landmark = [set(folds[0][made.query_labels == landmark]) for landmark in range(LANDMARKS)]
    assert all(len(found) == 1 for found in of_landmark) and folds[0].shape == (39,)
    assert sorted(np.bincount(np.concatenate([list(found) for found in of_landmark]))) == [4, 4, 5]
    assert folds[0].tolist() != folds[1].tolist()


def truth_of(made):
    return (made.ranking.indices == made.query_labels[:, None]).astype(float)


def test_a_model_is_kept_where_the_gain_is_sure_and_only_there(learn, capsys):
    made = world(1)
    fusion, seen = learn(made, truth_of(made))
    assert fusion.model == "model" and seen["relevant"].reshape(-1, WIDTH).tolist() == truth_of(made).tolist()
    said = capsys.readouterr().out
    assert "mAP of 39 pseudo-queries, cross-validated by landmark: 50.00 -> 100.00, 95 % interval of the change +50.00 to +50.00" in said
    assert "(landmarks in the pseudo-train set: 50.00 -> 100.00; not in it: 50.00 -> 100.00)\n" in said
    assert learn(made, np.zeros((39, WIDTH)))[0] is None, "the same order"
    one_better = np.where(np.arange(39)[:, None] == 0, truth_of(made), 0)
    assert learn(made, one_better)[0] is None, "one query may be chance"
    assert "no gain beyond chance, so the order stays as it is" in capsys.readouterr().out


def test_what_nobody_knows_is_ranked_but_teaches_nothing(learn):
    made = world(1)
    _, seen = learn(made, truth_of(made))
    judged = seen["judged"].reshape(-1, WIDTH)
    assert not judged[:, 0].any() and judged[:, 1:].all()
    assert seen["per_query"].tolist() == [WIDTH] * 39
    assert seen["final"] == (39 * (WIDTH - 1), 39, [WIDTH - 1] * 39)


def test_the_blend_is_the_one_whose_gain_is_surest(learn, monkeypatch):
    monkeypatch.setattr(module, "QUERIES_PER_WEIGHT", 0)
    made = world(1)
    scores = np.zeros((39, WIDTH))
    # The true image stands at place 3 of 5 behind a wrong one. In a third of the queries it overtakes by any blend; in the others, where
    # it is put first, another does from a blend of 3 on.
    helped = np.arange(39) % 3 == 0
    right_first = np.insert(np.delete(world(0).ranking.indices, 0, axis=1), 0, UNJUDGED, axis=1)
    lists = np.where(helped[:, None], made.ranking.indices, right_first).astype(np.int32)
    scores[helped] = truth_of(made)[helped] * 2
    scores[~helped, 3] = np.log(4 / 2) / 3
    ranking = Ranking(made.ranking.query_ids, made.ranking.index_ids, lists, made.ranking.scores)
    assert learn(made._replace(ranking=ranking), scores)[0].blend in (0.5, 1.0, 2.0)


def test_few_pseudo_queries_move_the_order_a_little(learn, monkeypatch):
    late = world(1)
    truth = truth_of(late) * np.log(3 / 2) / 3  # which a weight of 4 lets overtake, and one of 2 does not
    assert learn(late, truth)[0] is None, "39 queries allow the smallest weight alone"
    monkeypatch.setattr(module, "QUERIES_PER_WEIGHT", 39 / 4)
    assert learn(late, truth)[0].blend == 4.0


def test_known_and_unknown_landmarks_are_reported_apart(learn, capsys):
    made = world(1)
    unknown = made.query_labels >= 9
    learn(made, np.where(unknown[:, None], truth_of(made), 0))
    assert "(landmarks in the pseudo-train set: 50.00 -> 50.00; not in it: 50.00 -> 100.00)" in capsys.readouterr().out
    known = Context(made.context.base, np.arange(LANDMARKS), made.context.descriptors)
    learn(made._replace(context=known), truth_of(made))
    assert "not in it: none)" in capsys.readouterr().out


def test_lists_that_are_right_already_teach_nothing(learn, capsys):
    fusion, seen = learn(world(0), np.zeros((39, WIDTH)))
    assert fusion is None and "folds" not in seen
    assert "the mAP of 39 pseudo-queries is 100.00 already: the descriptors are overfitted" in capsys.readouterr().out


def test_scores_move_candidates_against_their_places_and_fill_the_list_as_far_as_they_go():
    candidates = np.array([[5, 6, 7], [8, -1, -1]], np.int32)
    scores = np.array([0.1, 0.9, 0.5, 0.2])  # one a candidate; -log(place) is 0, -0.69, -1.10
    assert module.ordered_by(candidates, scores, 1.0, 2).tolist() == [[6, 5], [8, -1]]
    assert module.ordered_by(candidates, scores, 0.5, 2).tolist() == [[5, 6], [8, -1]]
    assert module.ordered_by(candidates, scores, 8.0, 2).tolist() == [[6, 7], [8, -1]]
    longer = module.ordered_by(candidates, scores, 8.0, 5)
    assert longer.tolist() == [[6, 7, 5, -1, -1], [8, -1, -1, -1, -1]] and longer.dtype == np.int32
    assert module.ordered_by(candidates, np.zeros(4), 8.0, 3).tolist() == candidates.tolist(), "equals keep their places"


def test_of_many_candidates_the_relevant_ones_and_the_first_are_learned_from(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXAMPLES", 6)
    judged, relevant = np.ones((50, 20), bool), np.zeros((50, 20), bool)
    judged[:, 1], relevant[:, 19] = False, True
    judged[7, 3:] = False
    learned = module.examples(judged, relevant, np.random.default_rng(0))
    assert learned[7].sum() == 2 and (np.delete(learned, 7, axis=0).sum(axis=1) == 6).all()
    others = np.delete(learned, 7, axis=0)
    assert others[:, [0, 2, 19]].all() and not learned[:, 1].any()
    assert others[:, 3:19].any(axis=0).sum() == 16, "the rest is drawn"


@pytest.mark.parametrize(("set_to", "known", "left_out"), [(None, 0.6, 4), (None, None, 3), (0.1, 0.6, 1), (None, 1.0, 0)])
def test_the_pseudo_train_set_lacks_as_many_landmarks_as_the_queries(monkeypatch, set_to, known, left_out):
    random, labels = np.random.default_rng(0), np.repeat(np.arange(10), 20)
    rows = (np.eye(10, 12)[labels] + 0.2 * random.standard_normal((200, 12))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    context = Context(Space(rows, rows, rows), labels, lambda split: rows).after(())
    monkeypatch.setattr(module, "share_of_known_queries", lambda *given: known)
    parts = module._parts(context, Fuse(unknown_share=set_to))
    assert 10 - len(np.unique(labels[parts.train])) == left_out
