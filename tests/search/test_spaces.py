import numpy as np
import pytest

from landmarks.search.spaces import write_vector_blocks, write_vectors
from landmarks.store.files import read_array


@pytest.mark.parametrize("cuts", [[], [1], [2, 2, 5]])
def test_blocks_are_written_as_the_whole_is(tmp_path, cuts):
    vectors = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    dimensions = write_vector_blocks(tmp_path / "blocks.npy", 7, iter(np.split(vectors, cuts)))
    write_vectors(tmp_path / "whole.npy", vectors)
    assert dimensions == 3
    np.testing.assert_array_equal(read_array(tmp_path / "blocks.npy", mapped=True), read_array(tmp_path / "whole.npy"))


def test_no_rows_keep_their_dimensions(tmp_path):
    assert write_vector_blocks(tmp_path / "none.npy", 0, [np.empty((0, 4), np.float32)]) == 4
    assert read_array(tmp_path / "none.npy").shape == (0, 4)


def test_other_rows_than_announced_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="2 rows instead of 3"):
        write_vector_blocks(tmp_path / "short.npy", 3, [np.ones((2, 4))])
    assert not list(tmp_path.iterdir())
