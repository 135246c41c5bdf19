"""Fuse, on a world in which the first search misses what the rest of the evidence knows."""

import json

import numpy as np
import pytest

from landmarks.config import load_config
from landmarks.metrics.google_landmarks import average_precision
from landmarks.models.candidate_ranker import CandidateRanker
from landmarks.ranking import Ranking, Space
from landmarks.rerank.context import Context
from landmarks.rerank.evidence import Evidence
from landmarks.rerank.steps.fuse import Fuse

LANDMARKS = 24


def images(random, per_landmark, noise):
    """Three clusters a landmark, unlike one another: only labels, and neighbours of neighbours, join them."""
    labels = np.repeat(np.arange(LANDMARKS), per_landmark)
    centres = np.random.default_rng(9).standard_normal((LANDMARKS, 3, 16))
    rows = centres[labels, random.integers(0, 3, len(labels))] + noise * random.standard_normal((len(labels), 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def world(noise=0.5, seed=0):
    random = np.random.default_rng(seed)
    (test, asked), (index, owners), (train, labels) = (images(random, count, noise) for count in (2, 12, 30))
    base = Space(test, index, train)
    context = Context(base, labels * 10 - 5, lambda split: base.vectors(split))
    found, scores = context.nearest(base, "test", "index", 40)
    ranking = Ranking(np.arange(len(test)).astype(str), np.arange(len(index)).astype(str), found, scores)
    truth = np.concatenate([np.flatnonzero(owners == label) for label in asked]), np.arange(len(asked) + 1) * 12
    return ranking, context, truth


def settings(**changes):
    return Fuse(**{"trees": 30, "leaves": 8, "query_share": 0.2} | changes)


@pytest.mark.parametrize("classifier", [False, True])
def test_it_beats_the_search_and_leaves_the_model_that_did(capsys, classifier):
    ranking, context, truth = world()
    context = context.after(())
    after = settings(classifier=classifier).apply(ranking, context)
    before, gained = (average_precision(each.indices, *truth).mean() for each in (ranking, after))
    assert gained > before + 0.01  # few pseudo-queries, a small weight
    said = capsys.readouterr().out
    assert "cross-validated by landmark" in said and "most important: " in said
    assert sorted(context.attachments) == ["fusion.json", "importances.csv", "model.txt"]
    evidence = Evidence(ranking, context, classifier)
    scores = CandidateRanker(context.attachments["model.txt"]).scores(evidence.table(np.arange(1)))
    blended = json.loads(context.attachments["fusion.json"])["blend"] * scores - np.log(np.arange(1, len(scores) + 1))
    best = evidence.candidates[0][np.argsort(-blended, kind="stable")[:40]]
    np.testing.assert_array_equal(after.indices[0], best)
    assert ("similarity to the classifier" in context.attachments["importances.csv"]) == classifier


def test_without_a_gain_on_the_pseudo_queries_the_order_stays(capsys):
    ranking, context, _ = world()
    context = Context(context.base, np.random.default_rng(0).permutation(context.landmark_ids), lambda split: context.base.vectors(split))
    after = settings(classifier=False, trees=1, learning_rate=1e-6, leaves=2).apply(ranking, context)
    assert after is ranking and not context.attachments
    assert "the order stays" in capsys.readouterr().out


def test_from_training_images_that_are_overfitted_nothing_is_learned(capsys):
    _, context, _ = world()
    labels = context.labels
    known = np.eye(LANDMARKS, dtype=np.float32)[labels] + 0.01 * np.random.default_rng(4).standard_normal((len(labels), LANDMARKS))
    known = (known / np.linalg.norm(known, axis=1, keepdims=True)).astype(np.float32)
    base = Space(known[::7], known[1::3], known)
    context = Context(base, labels, lambda split: base.vectors(split))
    found, scores = context.nearest(base, "test", "index", 40)
    ranking = Ranking(np.arange(len(base.test)).astype(str), np.arange(len(base.index)).astype(str), found, scores)
    assert settings().apply(ranking, context) is ranking and not context.attachments
    assert "overfitted to the training images" in capsys.readouterr().out


def test_no_queries_or_too_few_landmarks_leave_the_ranking_as_it_is(capsys):
    ranking, context, _ = world()
    none = Ranking(ranking.query_ids[:0], ranking.index_ids, ranking.indices[:0], ranking.scores[:0])
    assert settings(classifier=False).apply(none, context) is none
    few = Context(context.base, context.labels // 6, lambda split: context.base.vectors(split))
    assert settings().apply(ranking, few) is ranking
    assert "4 landmarks" in capsys.readouterr().out


def test_the_table_s_rows_are_the_candidates_one_after_the_other():
    ranking, context, _ = world()
    evidence = Evidence(ranking, context, classifier=False)
    some = np.array([3, 5])
    table = evidence.table(some)
    assert table.shape == ((evidence.candidates[some] >= 0).sum(), len(evidence.names)) and table.dtype == np.float32
    similarity = table[:, evidence.names.index("similarity")]
    pairs = [(query, image) for query in some for image in evidence.candidates[query] if image >= 0]
    np.testing.assert_allclose(similarity, [context.base.test[query] @ context.base.index[image] for query, image in pairs], atol=1e-5)
    np.testing.assert_allclose(table[:3, 0], [1, 1 / 2, 1 / 3])


def test_inliers_are_evidence_of_what_the_step_before_verified():
    ranking, context, truth = world(noise=1.2)
    labels = {"train": context.labels, "test": np.repeat(np.arange(LANDMARKS), 2), "index": np.repeat(np.arange(LANDMARKS), 12)}

    def count(of, among, first, second):
        return np.where(labels[of][first] == labels[among][second], 30, 5)

    context = Context(context.base, context.landmark_ids, context.descriptors, count_inliers=count)
    chain = load_config(None, ["rerank=[{step: verify, top: 15, weight: 0.1}]"]).rerank
    verified = chain[0].apply(ranking, context.after(()))
    knowing = context.after(chain)
    after = settings(classifier=False).apply(verified, knowing)
    assert average_precision(after.indices, *truth).mean() > average_precision(verified.indices, *truth).mean() + 0.02
    assert "\ninliers" in knowing.attachments["importances.csv"]
    evidence = Evidence(verified, knowing, False)
    table, candidates = evidence.table(np.array([7])), evidence.candidates[7]
    inliers, below = (table[:, evidence.names.index(name)] for name in ("inliers", "inliers below the most"))
    right = labels["index"][candidates[:15]] == labels["test"][7]
    np.testing.assert_array_equal(inliers[:15], np.where(right, 30, 5))
    np.testing.assert_array_equal(below[:15], inliers[:15] - inliers[:15].max())
    assert np.isnan(inliers[15:]).all() and np.isnan(below[15:]).all()
    assert "inliers" not in Evidence(verified, context.after(()), False).names
