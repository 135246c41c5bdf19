"""The measures of Revisited Oxford and Paris (Radenovic et al., CVPR 2018), on the ranks of positive and junk images."""

from __future__ import annotations

import numpy as np

# Difficulty -> kinds of images that count as positive, and kinds that are removed from the ranking (section 3.3).
DIFFICULTIES = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}


def without_junk(positive_ranks: np.ndarray, junk_ranks: np.ndarray) -> np.ndarray:
    """The ranks of the positives once the junk is removed from the list.

    positive_ranks (p,) different integers, junk_ranks (j,) integers, in any order, 0 = first; returns (p,) int64, ascending.
    A rank that is junk twice, as an image in two lists is, is taken out once.
    """
    ranks = np.sort(np.asarray(positive_ranks, np.int64))
    return ranks - np.searchsorted(np.unique(junk_ranks), ranks)


def average_precision(ranks: np.ndarray, positives: int) -> float:
    """The trapezoidal area under the precision-recall curve: each hit counts with the mean of the precision before and after it.

    ranks      (p,) int64, ascending, 0 = first: of the positives found in a list without junk
    positives  how many there are, found or not

    Returns 0 to 1; NaN without positives, so that the query is left out of the mean.
    """
    if positives == 0:
        return float("nan")
    hits = np.arange(len(ranks))
    before = np.divide(hits, ranks, out=np.ones(len(ranks)), where=ranks > 0)
    after = (hits + 1) / (ranks + 1)
    return float((before + after).sum() / (2 * positives))


def precision_at(ranks: np.ndarray, positives: int, at: int) -> float:
    """The share of positives among the first `at` images, or among those up to the last positive found if that comes earlier.

    Arguments as in `average_precision`. Returns 0 to 1; 0 where none is found, NaN without positives.
    """
    if positives == 0:
        return float("nan")
    if len(ranks) == 0:
        return 0.0
    considered = min(int(ranks[-1]) + 1, at)
    return float((ranks < considered).sum() / considered)
