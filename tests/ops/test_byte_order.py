"""Arrays of another byte order hold the same numbers: every function that looks at bits, or compiles a loop, gives the same result."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landmarks.metrics.google_landmarks import average_precision, first_positions, precision_at
from landmarks.metrics.places import found_within
from landmarks.ops.half import kernel_rows, native, to_float16, to_float32
from landmarks.ops.knn import exact_knn, streamed_knn
from landmarks.ops.vectors import ensemble, join_rows, l2_normalise, learn_whitening, unusable_rows

ORDERS = ["<", ">"]
KINDS = ["f2", "f4", "f8", "g"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
def test_good_rows_are_good_and_bad_ones_bad(kind, order):
    rows = np.random.default_rng(0).standard_normal((500, 16))
    rows[3], rows[70, 5], rows[200, 0], rows[400, 15], rows[401] = 0, np.nan, np.inf, -np.inf, -0.0
    bad = unusable_rows(rows.astype(np.dtype(kind).newbyteorder(order)))
    assert np.flatnonzero(bad).tolist() == [3, 70, 200, 400, 401]


def matrices(kind):
    size = int(np.dtype(kind).itemsize) * 8
    finite = st.floats(-1e4, 1e4, width=min(size, 64), allow_subnormal=True)
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)
    return hnp.arrays(kind, shapes, elements=st.one_of(finite, st.sampled_from([0.0, float("nan"), float("inf"), float("-inf")])))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["f2", "f4", "f8"]).flatmap(matrices))
def test_unusable_rows_are_those_by_the_plain_definition(matrix):
    expected = ~np.isfinite(matrix).all(axis=1) | ~matrix.any(axis=1)
    for order in ORDERS:
        for layout in (np.ascontiguousarray, np.asfortranarray):
            found = unusable_rows(layout(matrix.astype(matrix.dtype.newbyteorder(order))))
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_results_do_not_depend_on_the_byte_order(kind):
    rng = np.random.default_rng(1)
    one, two = (rng.standard_normal((40, 12)).astype(kind) for _ in range(2))
    other_one, other_two = (rows.astype(rows.dtype.newbyteorder(">")) for rows in (one, two))
    assert not other_one.dtype.isnative and native(other_one).dtype == one.dtype and native(one) is one

    def joined(parts):
        out = np.empty((40, 24), np.float16)
        join_rows(parts, out)
        return out

    def whitened(rows):
        whitening = learn_whitening(rows, 4)
        return whitening(rows)

    for function in (
        l2_normalise,
        kernel_rows,
        to_float32,
        to_float16,
        whitened,
        lambda rows: ensemble([rows, rows], [1.0, 2.0]),
        lambda rows: exact_knn(rows, rows, 5)[0],
        lambda rows: streamed_knn(np.asarray(rows, np.float32), rows, 5, block=7)[1],
    ):
        np.testing.assert_array_equal(function(other_one), function(one))
    np.testing.assert_array_equal(joined([other_one, other_two]), joined([one, two]))


def test_metrics_take_numbers_of_any_byte_order():
    rng = np.random.default_rng(2)
    predicted = np.stack([rng.permutation(20)[:10] for _ in range(6)]).astype(np.int32)
    truth, offsets = np.arange(12) % 7, np.arange(0, 13, 2)
    turned = [array.astype(array.dtype.newbyteorder(">")) for array in (predicted, truth, offsets)]
    for measure in (average_precision, first_positions, lambda *case: precision_at(*case, 3), lambda *case: found_within(*case, 3)):
        np.testing.assert_array_equal(measure(*turned), measure(predicted, truth, offsets))
