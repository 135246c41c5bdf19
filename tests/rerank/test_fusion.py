"""What the fusion makes of scores that are given: folds, the limit of overfitting, and the order; its model is test_fuse.py's."""

import numpy as np
import pytest

from landmarks.ranking import Ranking, Space
from landmarks.rerank import fusion as module
from landmarks.rerank.context import Context
from landmarks.rerank.pseudo_world import PseudoWorld
from landmarks.rerank.steps.fuse import Fuse

LANDMARKS, QUERIES, WIDTH = 13, 3, 4


def world(true_place):
    """Three queries a landmark, one index image each; the true one is at `true_place` of every list, 0 = first."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(LANDMARKS), QUERIES))
    others = (labels[:, None] + np.arange(1, WIDTH)) % LANDMARKS
    indices = np.insert(others, true_place, labels, axis=1).astype(np.int32)
    scores = np.tile(np.arange(WIDTH, 0, -1, dtype=np.float32), (len(labels), 1))
    ranking = Ranking(np.arange(len(labels)).astype(str), np.arange(LANDMARKS).astype(str), indices, scores)
    vectors = np.ones((9, 2), np.float32)
    context = Context(Space(vectors, vectors, vectors), np.arange(9), lambda split: vectors)  # the landmarks from 9 on are unknown
    return PseudoWorld(context, ranking, labels, np.arange(LANDMARKS))


@pytest.fixture
def learn(monkeypatch):
    """learn(world, scores): what the fusion learns where cross-validation gives these scores (queries, WIDTH); with the folds."""
    seen = {}

    class Evidence:
        def __init__(self, ranking, context, classifier):
            self.candidates, self.names = ranking.indices, ["place"]

        def table(self, queries):
            return np.zeros((len(queries) * WIDTH, 1), np.float32)

    def cross_validated_scores(table, relevant, per_query, folds, train):
        seen["relevant"], seen["folds"] = relevant, folds
        return seen["scores"].ravel()

    monkeypatch.setattr(module, "Evidence", Evidence)
    monkeypatch.setattr(module, "cross_validated_scores", cross_validated_scores)
    monkeypatch.setattr(module, "train_ranker", lambda *data, **settings: "model")

    def run(made, scores, seed=0):
        seen["scores"] = scores
        return module._learn(made, Fuse(classifier=False, seed=seed)), seen

    return run


def test_no_landmark_is_in_two_folds_and_the_seed_draws_them(learn):
    made, folds = world(1), {}
    for seed in (0, 1):
        folds[seed] = learn(made, np.zeros((39, WIDTH)), seed)[1]["folds"]
    of_landmark = [set(folds[0][made.query_labels == landmark]) for landmark in range(LANDMARKS)]
    assert all(len(found) == 1 for found in of_landmark) and folds[0].shape == (39,)
    assert sorted(np.bincount(np.concatenate([list(found) for found in of_landmark]))) == [2, 2, 3, 3, 3]
    assert folds[0].tolist() != folds[1].tolist()


def test_a_model_is_kept_where_the_gain_is_sure_and_only_there(learn, capsys):
    made = world(1)
    truth_first = (made.ranking.indices == made.query_labels[:, None]).astype(float)
    model, seen = learn(made, truth_first)
    assert model == "model" and seen["relevant"].reshape(-1, WIDTH).tolist() == truth_first.tolist()
    said = capsys.readouterr().out
    assert "mAP of 39 pseudo-queries, cross-validated by landmark: 50.00 -> 100.00" in said
    assert "(landmarks in the pseudo-train set: 50.00 -> 100.00; not in it: 50.00 -> 100.00)\n" in said
    same_order = np.tile(np.arange(WIDTH, 0, -1.0), (39, 1))
    assert learn(made, same_order)[0] is None
    one_better = np.where(np.arange(39)[:, None] == 0, truth_first, same_order)
    assert learn(made, one_better)[0] is None, "one query may be chance"
    assert "no gain beyond chance, so the order stays as it is" in capsys.readouterr().out


def test_known_and_unknown_landmarks_are_reported_apart(learn, capsys):
    made = world(1)
    truth_first = (made.ranking.indices == made.query_labels[:, None]).astype(float)
    unknown = made.query_labels >= 9
    learn(made, np.where(unknown[:, None], truth_first, np.arange(WIDTH, 0, -1.0)))
    assert "(landmarks in the pseudo-train set: 50.00 -> 50.00; not in it: 50.00 -> 100.00)" in capsys.readouterr().out
    learn(made._replace(context=made.context.after(())), truth_first)
    known = Context(made.context.base, np.arange(LANDMARKS), made.context.descriptors)
    learn(made._replace(context=known), truth_first)
    assert "not in it: none)" in capsys.readouterr().out


def test_lists_that_are_right_already_teach_nothing(learn, capsys):
    model, seen = learn(world(0), np.zeros((39, WIDTH)))
    assert model is None and "folds" not in seen
    assert "the mAP of 39 pseudo-queries is 100.00 already: the descriptors are overfitted" in capsys.readouterr().out


def test_the_best_candidates_fill_the_list_as_far_as_they_go():
    candidates = np.array([[5, 6, 7], [8, -1, -1]], np.int32)
    scores = np.array([0.1, 0.9, 0.5, 0.2])  # one a candidate
    assert module._ordered(candidates, scores, 2).tolist() == [[6, 7], [8, -1]]
    longer = module._ordered(candidates, scores, 5)
    assert longer.tolist() == [[6, 7, 5, -1, -1], [8, -1, -1, -1, -1]] and longer.dtype == np.int32
    assert module._ordered(candidates, np.zeros(4), 3).tolist() == candidates.tolist(), "equals keep their places"
