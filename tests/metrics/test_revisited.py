from fractions import Fraction

import numpy as np
import pytest

from landmarks.metrics.revisited import DIFFICULTIES, average_precision, precision_at, without_junk


def by_hand(ranked, positives, junk, cuts):
    """AP and precisions in fractions, from the list itself: junk struck out, then walked through."""
    clean = [image for image in ranked if image not in junk]
    found, total, last = 0, Fraction(0), 0
    for place, image in enumerate(clean, start=1):
        if image in positives:
            before = Fraction(found, place - 1) if place > 1 else Fraction(1)
            found += 1
            total += (before + Fraction(found, place)) / 2
            last = place
    precisions = []
    for cut in cuts:
        k = min(cut, last)
        precisions.append(Fraction(sum(image in positives for image in clean[:k]), k) if k else Fraction(0))
    return total / len(positives), precisions


def ranks_of(ranked, images):
    return np.array([place for place, image in enumerate(ranked) if image in images], np.int64)


def test_the_published_example_of_average_precision():
    # (1 + 1)/2, (1/2 + 2/3)/2, (2/5 + 3/6)/2, over 3: (1 + 7/12 + 9/20) / 3
    assert average_precision(np.array([0, 2, 5]), 3) == pytest.approx(float((1 + Fraction(7, 12) + Fraction(9, 20)) / 3))
    assert average_precision(np.array([0, 2, 5]), 3) == pytest.approx(0.677778, abs=1e-6)


def test_the_published_example_of_junk():
    assert without_junk(np.array([0, 2, 6, 10, 20]), np.array([1, 8, 9, 30])).tolist() == [0, 1, 5, 7, 17]
    assert without_junk(np.array([20, 0, 6, 10, 2]), np.array([30, 9, 1, 8])).tolist() == [0, 1, 5, 7, 17], "in any order"


def test_a_case_of_three_queries_worked_by_hand():
    # First: positives behind one wrong image and a junk one, at ranks 2 and 3 -> 1 and 2 of 2.
    #   AP = ((0/1 + 1/2)/2 + (1/2 + 2/3)/2) / 2 = (1/4 + 7/12) / 2 = 5/12. P@1 0, P@2 1/2, P@5 of the first 3: 2/3.
    # Second: positives at ranks 0 and 2. AP = ((1 + 1)/2 + (1/2 + 2/3)/2) / 2 = (1 + 7/12) / 2 = 19/24. P@1 1, P@2 1/2, P@5 2/3.
    # Third: nothing to be found, left out.
    queries = [(without_junk(np.array([2, 3]), np.array([0])), 2), (np.array([0, 2]), 2), (np.array([], np.int64), 0)]
    precisions = [average_precision(*query) for query in queries]
    assert precisions == pytest.approx([5 / 12, 19 / 24, float("nan")], nan_ok=True)
    assert np.nanmean(precisions) == pytest.approx(0.604167, abs=1e-6)
    at = [[precision_at(*query, k) for k in (1, 2, 5)] for query in queries]
    assert np.nanmean(at, axis=0) == pytest.approx([0.5, 0.5, 0.666667], abs=1e-6)


def test_precision_looks_no_further_than_the_last_positive():
    assert precision_at(np.array([0, 1]), 2, 10) == 1.0  # 2 of the first 2, not of 10
    assert precision_at(np.array([0, 3]), 2, 10) == 0.5
    assert precision_at(np.array([9]), 1, 5) == 0.0


def test_no_positives_are_no_number_and_none_found_is_zero():
    none = np.array([], np.int64)
    assert np.isnan(average_precision(none, 0)) and np.isnan(precision_at(none, 0, 5))
    assert average_precision(none, 3) == 0.0 and precision_at(none, 3, 5) == 0.0


@pytest.mark.parametrize("seed", range(300))
def test_random_lists_equal_the_definition_in_fractions(seed):
    rng = np.random.default_rng(seed)
    images = rng.permutation(40)
    ranked = images[: rng.integers(0, 41)].tolist()  # some positives and junk are not retrieved
    positives = set(rng.permutation(40)[: rng.integers(1, 12)].tolist())
    junk = set(rng.permutation(40)[: rng.integers(0, 30)].tolist()) - positives  # often more junk than positives
    cuts = [1, 5, 10, 50]
    expected, precisions = by_hand(ranked, positives, junk, cuts)
    ranks = without_junk(ranks_of(ranked, positives), ranks_of(ranked, junk))
    assert average_precision(ranks, len(positives)) == pytest.approx(float(expected), rel=1e-12)
    assert [precision_at(ranks, len(positives), cut) for cut in cuts] == pytest.approx([float(value) for value in precisions])


def test_every_kind_of_image_is_positive_junk_or_neither_as_published():
    assert DIFFICULTIES["easy"] == (("easy",), ("junk", "hard"))
    assert DIFFICULTIES["medium"] == (("easy", "hard"), ("junk",))
    assert DIFFICULTIES["hard"] == (("hard",), ("junk", "easy"))
