from dataclasses import replace

import numpy as np
import pytest
import torch

from landmarks import device
from landmarks.cuda import Cards
from landmarks.errors import UserError
from landmarks.ranking import Space
from landmarks.search import spaces
from landmarks.search.spaces import (
    nearest,
    read_space,
    search,
    search_on_gpu,
    share_neighbours,
    write_space,
    write_vector_blocks,
    write_vectors,
)
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


@pytest.fixture
def space(tmp_path):
    """Three queries, eight index and two training images on disk."""
    rng = np.random.default_rng(1)
    write_space(tmp_path / "space", Space(*(rng.standard_normal((rows, 4)).astype(np.float32) for rows in (3, 8, 2))))
    return read_space(tmp_path / "space", {"ranking": "abc"})


def test_neighbours_are_kept_beside_their_space_and_serve_smaller_requests(space, monkeypatch):
    indices, similarities = nearest(space, "test", "index", 5)
    products = space.test.astype(np.float32) @ space.index.astype(np.float32).T
    np.testing.assert_array_equal(indices, np.argsort(-products, axis=1)[:, :5])
    np.testing.assert_allclose(similarities, -np.sort(-products, axis=1)[:, :5], rtol=1e-5)
    monkeypatch.setattr(spaces, "search", None)
    np.testing.assert_array_equal(nearest(space, "test", "index", 2)[0], indices[:, :2])
    with pytest.raises(TypeError):
        nearest(space, "test", "index", 6)
    with pytest.raises(TypeError):
        nearest(read_space(space.folder, {"ranking": "of other settings"}), "test", "index", 2)


def test_an_image_is_not_its_own_neighbour(space):
    indices, similarities = nearest(space, "index", "index", 9)
    assert all(sorted(row) == [-1, -1, *sorted(set(range(8)) - {image})] for image, row in enumerate(indices.tolist()))
    assert np.isneginf(similarities[:, 7:]).all() and np.isfinite(similarities[:, :7]).all()


@pytest.mark.parametrize("few, limit", [(100, "_LARGE_INDEX"), (0, "_HUGE_INDEX")])
def test_a_large_index_is_searched_in_blocks_with_the_same_result(space, monkeypatch, few, limit):
    whole = search(space.test, space.index, 4, "test")
    monkeypatch.setattr(spaces, "_FEW_QUERIES", few)
    monkeypatch.setattr(spaces, limit, 0)
    monkeypatch.setattr(spaces, "open_index", None)
    for array, streamed in zip(whole, search(space.test, space.index, 4, "test"), strict=True):
        np.testing.assert_array_equal(streamed, array)


def test_a_gpu_that_is_asked_for_and_missing_is_an_error(monkeypatch):
    monkeypatch.setattr(device, "find_cards", lambda: Cards((), None))
    assert search_on_gpu("cpu") == (False, "run.device=cpu") and search_on_gpu("auto")[0] is False
    with pytest.raises(UserError, match="run.device=cuda, but"):
        search_on_gpu("cuda")
    monkeypatch.setattr(device, "find_cards", lambda: Cards((0, 1), None))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "GPU")
    assert search_on_gpu("auto") == (True, "GPU, 1 of 2") and search_on_gpu("cpu")[0] is False


def test_vectors_that_a_step_leaves_as_they_are_take_no_disk_and_have_their_neighbours(space, tmp_path, monkeypatch):
    found = nearest(space, "index", "index", 3)
    nearest(space, "test", "index", 3)
    moved = replace(space, test=space.test[::-1].copy())
    write_space(tmp_path / "moved", moved, space)
    stored = read_space(tmp_path / "moved", {"ranking": "def"})
    files = {split: [folder / f"{split}.npy" for folder in (space.folder, stored.folder)] for split in ("test", "index", "train")}
    assert {split: one.samefile(other) for split, (one, other) in files.items()} == {"test": False, "index": True, "train": True}
    for split in files:
        np.testing.assert_array_equal(stored.vectors(split), moved.vectors(split))
    share_neighbours(space, stored, "index", "index")
    share_neighbours(space, stored, "index", "train")  # of which there are none
    monkeypatch.setattr(spaces, "search", None)
    for ours, theirs in zip(nearest(stored, "index", "index", 3), found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(TypeError):
        nearest(stored, "index", "train", 1)


def test_without_hard_links_files_are_written_again(space, tmp_path, monkeypatch):
    found = nearest(space, "index", "index", 3)
    monkeypatch.setattr(spaces, "link_file", lambda source, target: False)
    write_space(tmp_path / "moved", replace(space), space)
    stored = read_space(tmp_path / "moved", {"ranking": "def"})
    share_neighbours(space, stored, "index", "index")
    monkeypatch.setattr(spaces, "search", None)
    np.testing.assert_array_equal(nearest(stored, "index", "index", 3)[0], found[0])
    np.testing.assert_array_equal(stored.index, space.index)
    assert not (stored.folder / "index.npy").samefile(space.folder / "index.npy")
