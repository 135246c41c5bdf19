import numpy as np
import pytest

from landmarks.models.candidate_ranker import CandidateRanker, cross_validated_scores, train_ranker

NAMES = ["alike", "of the same label", "noise"]
SETTINGS = {"names": NAMES, "trees": 30, "leaves": 4, "learning_rate": 0.1}


def queries(count=60, candidates=20, seed=0):
    """Relevant is where the first two columns' sum is large; the third is noise, and some of the second is unknown."""
    random = np.random.default_rng(seed)
    table = random.random((count * candidates, 3), dtype=np.float32)
    relevant = table[:, 0] + table[:, 1] > 1.3
    table[::7, 1] = np.nan
    return table, relevant, np.full(count, candidates)


def precision(scores, relevant, candidates=20):
    """Mean share of relevant ones among the first five."""
    order = np.argsort(-scores.reshape(-1, candidates), axis=1)[:, :5]
    return np.take_along_axis(relevant.reshape(-1, candidates), order, axis=1).mean()


@pytest.mark.parametrize("objective", ["rank_xendcg", "lambdarank"])
def test_it_learns_to_rank_and_reports_the_columns_that_helped(objective):
    model = train_ranker(*queries(), objective=objective, **SETTINGS)
    new, relevant, _ = queries(seed=1)
    assert precision(model.scores(new), relevant) > precision(new[:, 0].astype(float), relevant) + 0.1
    shares = model.importances()
    assert set(shares) == set(NAMES) and sum(shares.values()) == pytest.approx(1) and list(shares)[-1] == "noise"


def test_the_text_scores_bit_for_bit_the_same_and_training_repeats_exactly():
    model, again = (train_ranker(*queries(), objective="rank_xendcg", **SETTINGS) for _ in range(2))
    assert model.text == again.text
    new = queries(seed=1)[0]
    np.testing.assert_array_equal(CandidateRanker(model.text).scores(new), model.scores(new))
    assert len(model.scores(new[:0])) == 0


def test_no_query_is_scored_by_a_ranker_that_saw_its_fold_and_nothing_is_learned_from_rows_that_are_not_judged():
    table, relevant, per_query = queries(count=12)
    folds = np.arange(12) % 3
    table[:, 0] = np.repeat(folds, 20)
    judged = np.arange(240) % 20 < 15
    judged[:20] = False  # a query of which nothing is known
    table[~judged, 2] = 99
    seen = []

    class Ranker:
        def __init__(self, folds_seen):
            self.folds_seen = folds_seen

        def scores(self, rows):
            assert not set(rows[:, 0]) & self.folds_seen
            return rows[:, 1].astype(float)

    def train(rows, of_rows, of_queries):
        assert len(rows) == len(of_rows) == of_queries.sum() and set(of_queries) == {15} and not (rows[:, 2] == 99).any()
        seen.append(len(rows))
        return Ranker(set(rows[:, 0]))

    scores = cross_validated_scores(table, judged, relevant, per_query, folds, train)
    np.testing.assert_array_equal(scores, table[:, 1].astype(float))
    assert seen == [8 * 15, 7 * 15, 7 * 15]


def test_tables_that_disagree_are_refused():
    table, relevant, per_query = queries(count=3)
    with pytest.raises(ValueError, match="60 rows, 60 relevances and 40"):
        train_ranker(table, relevant, per_query[:2], objective="lambdarank", **SETTINGS)
