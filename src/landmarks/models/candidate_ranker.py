"""A gradient-boosted ranker of candidates. The only module that imports LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


class CandidateRanker:
    """A trained ranker. text: the model as LightGBM writes it, plain text; the same text gives the same scores, bit for bit."""

    def __init__(self, text: str):
        import lightgbm  # imported here: it takes a second, and most commands do not need it

        self.text = text
        self._booster = lightgbm.Booster(model_str=text)

    def scores(self, table: np.ndarray) -> np.ndarray:
        """(n, columns) float32 -> (n,) float64: the higher, the better; comparable only within a query."""
        return np.asarray(self._booster.predict(table)) if len(table) else np.zeros(0)

    def importances(self) -> dict[str, float]:
        """The share of the training gain that each column contributed, the largest first."""
        gains = self._booster.feature_importance("gain")
        names = [name.replace("_", " ") for name in self._booster.feature_name()]
        return {names[column]: float(gains[column] / max(gains.sum(), 1e-12)) for column in np.argsort(-gains, kind="stable")}


def train_ranker(
    table: np.ndarray,
    relevant: np.ndarray,
    per_query: np.ndarray,
    names: Sequence[str],
    *,
    objective: str,
    trees: int,
    leaves: int,
    learning_rate: float,
) -> CandidateRanker:
    """Learn to put relevant candidates first; the same data gives the same model.

    table      (n, columns) float32, NaN = not known; query after query
    relevant   (n,) bool
    per_query  (n_query,) integers, at most 10,000 each (LightGBM's limit): the number of rows of each query; they sum to n
    names      of the columns, without "_"
    objective  "rank_xendcg" (Bruch et al., WWW 2020) or "lambdarank" (Burges, 2010)
    """
    import lightgbm

    if per_query.sum() != len(table) or len(relevant) != len(table):
        raise ValueError(f"{len(table)} rows, {len(relevant)} relevances and {per_query.sum()} candidates of all queries disagree")
    data = lightgbm.Dataset(table, relevant.astype(np.int8), group=per_query, feature_name=[name.replace(" ", "_") for name in names])
    settings = {
        "objective": objective,
        "learning_rate": learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": min(100, max(1, len(table) // 20)),
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 63,
        "lambdarank_truncation_level": 100,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return CandidateRanker(lightgbm.train(settings, data, trees).model_to_string())


def cross_validated_scores(
    table: np.ndarray,
    judged: np.ndarray,
    relevant: np.ndarray,
    per_query: np.ndarray,
    folds: np.ndarray,
    train: Callable[[np.ndarray, np.ndarray, np.ndarray], CandidateRanker],
) -> np.ndarray:
    """Each row scored by a ranker that saw no query of its fold, (n,) float64.

    judged  (n,) bool: rows whose relevance is known; the others are scored, and nothing is learned from them
    folds   (n_query,) integers
    train   (table, relevant, per_query) -> ranker; the other arguments as in `train_ranker`
    """
    rows, scores = np.repeat(np.arange(len(per_query)), per_query), np.zeros(len(table))
    for fold in np.unique(folds):
        held_out = folds[rows] == fold
        learned = judged & ~held_out
        counts = np.bincount(rows[learned], minlength=len(per_query))
        if learned.any():
            scores[held_out] = train(table[learned], relevant[learned], counts[counts > 0]).scores(table[held_out])
    return scores
