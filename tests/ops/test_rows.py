"""Rows read when they are asked for, against the whole array."""

import errno

import numpy as np
import pytest

from landmarks.ops import rows as module
from landmarks.ops.rows import LazyRows, chosen_rows, row_blocks, scratch_array, stacked_rows
from landmarks.ops.vectors import are_alike, ensemble, ensembled_rows, learn_whitening, unusable_rows, whitened_rows


@pytest.fixture
def whole():
    return np.random.default_rng(0).standard_normal((23, 4)).astype(np.float16)


def stacked_parts(matrix):
    parts = [matrix[:5], matrix[5:5], matrix[5:6], matrix[6:20], matrix[20:]]
    return stacked_rows([len(part) for part in parts], parts.__getitem__)


ASKED = [slice(0, 23), slice(3, 7), slice(5, 6), slice(19, None), slice(None, -2), slice(7, 7), slice(9, 3), slice(20, 99)]


@pytest.mark.parametrize("rows", [*ASKED, np.array([22, 0, 5, 5, 6, 19]), np.array([], int), np.array([-1, -23]), np.arange(23) % 3 == 0])
def test_stacked_and_chosen_rows_are_those_of_the_array(whole, rows):
    stacked = stacked_parts(whole)
    np.testing.assert_array_equal(stacked[rows], whole[rows])
    assert stacked[rows].dtype == np.float16
    chosen = np.random.default_rng(1).permutation(23)
    np.testing.assert_array_equal(chosen_rows(stacked, chosen)[rows], whole[chosen][rows])


def test_it_has_the_form_of_the_array(whole):
    stacked = stacked_parts(whole)
    assert (len(stacked), stacked.shape, stacked.ndim, stacked.dtype, stacked.size) == (23, (23, 4), 2, np.float16, 92)
    np.testing.assert_array_equal(np.asarray(stacked), whole)
    assert np.asarray(stacked, np.float64).dtype == np.float64
    assert isinstance(chosen_rows(stacked, np.arange(3)), LazyRows) and isinstance(chosen_rows(whole, np.arange(3)), np.ndarray)
    with pytest.raises(ValueError, match="step of 2"):
        stacked[::2]


def test_no_rows():
    empty = stacked_rows([0], lambda number: np.zeros((0, 3), np.float16))
    assert np.asarray(empty).shape == (0, 3) and empty[:5].shape == (0, 3) and [block.shape for block in row_blocks(empty)] == [(0, 3)]


def test_blocks_are_the_array_in_its_order_and_what_is_computed_of_them_is_the_same(whole, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    stacked = stacked_parts(whole)
    assert [len(block) for block in row_blocks(stacked)] == [4, 4, 4, 4, 4, 3]
    np.testing.assert_array_equal(np.concatenate(list(row_blocks(stacked))), whole)
    other = whole[:, :2] + np.float16(1)
    expected = ensemble([whole, other], [1, 2])
    made = ensembled_rows([stacked, other], [1, 2])
    np.testing.assert_array_equal(np.asarray(made), expected)
    whitening = learn_whitening(expected, 3)
    np.testing.assert_allclose(np.asarray(whitened_rows(made, whitening)), whitening(expected), atol=1e-6)
    assert not unusable_rows(stacked).any() and not are_alike(made)


def test_rows_are_read_only_when_they_are_asked_for(whole):
    asked = []
    lazy = LazyRows((23, 4), whole.dtype, lambda rows: asked.append(rows) or whole[rows])
    chosen = chosen_rows(lazy, np.array([4, 2, 9]))
    assert not asked and chosen[1:].tolist() == whole[[2, 9]].tolist() and len(asked) == 1


def test_a_large_array_lies_on_disk_under_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 11)
    small, large = scratch_array((11, 1), np.float16, tmp_path), scratch_array((3, 4), np.float16, tmp_path)
    assert not isinstance(small, np.memmap) and isinstance(large, np.memmap) and not list(tmp_path.iterdir())
    large[:] = np.arange(12).reshape(3, 4)
    assert (large.shape, large.dtype) == ((3, 4), np.float16) and large.sum() == 66
    assert not isinstance(scratch_array((3, 4), np.float16, None), np.memmap)


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        scratch_array((3, 4), np.float16, tmp_path)
    assert not list(tmp_path.iterdir())
