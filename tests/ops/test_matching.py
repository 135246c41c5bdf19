import numpy as np
import pytest

from landmarks.ops.local_features import quantise
from landmarks.ops.matching import ROWS, mutual_matches
from landmarks.ops.vectors import l2_normalise


def one_by_one(query, index, max_distance=1.0, ratio=1.0):
    """Rows, and ratios, by distances; the lower row of equals first."""
    distances = np.sqrt(((query[:, None].astype(np.float64) - index[None]) ** 2).sum(axis=2))
    matches, ratios = [], []
    for row, line in enumerate(distances):
        column = int(np.argmin(line))
        second = min([*np.delete(line, column), np.sqrt(2)])
        share = line[column] / second if second else 1.0
        if np.argmin(distances[:, column]) == row and line[column] <= max_distance and share <= ratio:
            matches.append([row, column])
            ratios.append(share)
    return np.array(matches).reshape(-1, 2), np.array(ratios)


def unit_vectors(seed, rows, dimensions=32):
    return l2_normalise(np.random.default_rng(seed).normal(size=(rows, dimensions)))


def seen_again(descriptors, seed):
    return l2_normalise(descriptors + 0.12 * np.random.default_rng(seed).normal(size=descriptors.shape))


@pytest.mark.parametrize(("rows", "columns"), [(40, 60), (2 * ROWS + 7, 50), (1, 9), (9, 1)])
@pytest.mark.parametrize(("max_distance", "ratio"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.85)])
def test_equals_its_plain_twin(rows, columns, max_distance, ratio):
    query = unit_vectors(rows, rows)
    index = np.concatenate([seen_again(query[::2], 5), unit_vectors(7, columns)])[:columns]
    matches, ratios = mutual_matches(query, index, max_distance=max_distance, ratio=ratio)
    expected, expected_ratios = one_by_one(query, index, max_distance, ratio)
    assert len(expected) > 0 and matches.tolist() == expected.tolist()
    assert ratios == pytest.approx(expected_ratios, abs=1e-4)
    assert matches.dtype == np.int32


def test_int8_equals_the_twin_on_the_dequantised_rows():
    """Rows of very different length before they are scaled: the factors decide which is nearest."""
    query, index = unit_vectors(1, 80), unit_vectors(2, 70)
    index[:30] = seen_again(query[:30], 3)
    (rows, factors), (index_rows, index_factors) = quantise(query), quantise(index)
    matches, _ = mutual_matches(rows, index_rows, factors, index_factors)
    dequantised, index_dequantised = rows * factors[:, None], index_rows * index_factors[:, None]
    cosines = dequantised.astype(np.float64) @ index_dequantised.T
    expected = [[row, int(line.argmax())] for row, line in enumerate(cosines) if cosines[:, line.argmax()].argmax() == row]
    assert matches.tolist() == [[row, column] for row, column in expected if cosines[row, column] >= 0.5]
    assert len(matches) >= 30


def test_int8_and_float16_find_what_float32_finds():
    query = unit_vectors(1, 300, 128)
    index = seen_again(query, 2)
    expected = mutual_matches(query, index)[0].tolist()
    (rows, factors), (index_rows, index_factors) = quantise(query), quantise(index)
    assert len(expected) > 250
    for found in (
        mutual_matches(rows, index_rows, factors, index_factors)[0],
        mutual_matches(query.astype(np.float16), index.astype(np.float16))[0],
    ):
        same = sum(pair in expected for pair in found.tolist())
        assert same >= 0.98 * max(len(expected), len(found))


def test_equal_descriptors_match_once_the_lower_rows():
    query, index = np.tile([[1.0, 0.0]], (5, 1)).astype(np.float32), np.tile([[1.0, 0.0]], (3, 1)).astype(np.float32)
    matches, ratios = mutual_matches(query, index)
    assert matches.tolist() == [[0, 0]] and ratios.tolist() == [1.0]


def test_orthogonal_and_opposite_descriptors_never_match():
    query = np.eye(2, dtype=np.float32)
    assert len(mutual_matches(query, -query, max_distance=2.0)[0]) == 0
    assert len(mutual_matches(query[:1], query[1:], max_distance=2.0)[0]) == 0


def test_the_ratio_worked_by_hand():
    """Distances sqrt(2 - 2 * 0.8) and sqrt(2 - 2 * 0.6): a ratio of sqrt(1/2)."""
    query, index = np.array([[1.0, 0.0]], np.float32), np.array([[0.6, 0.8], [0.8, -0.6]], np.float32)
    matches, ratios = mutual_matches(query, index)
    assert matches.tolist() == [[0, 1]] and ratios == pytest.approx([np.sqrt(0.5)], abs=1e-6)
    assert len(mutual_matches(query, index, ratio=0.7)[0]) == 0 and len(mutual_matches(query, index, ratio=0.72)[0]) == 1


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_an_image_without_features(rows, columns, dtype):
    factors = [np.ones(number, np.float32) if dtype == np.int8 else None for number in (rows, columns)]
    matches, ratios = mutual_matches(np.ones((rows, 8), dtype), np.ones((columns, 8), dtype), *factors)
    assert matches.shape == (0, 2) and ratios.shape == (0,)
