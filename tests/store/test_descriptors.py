import os
import resource

import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.store.artefact import Artefact
from landmarks.store.descriptors import (
    Descriptors,
    check_descriptors,
    has_skipped,
    read_descriptors,
    read_user_descriptors,
    seal_shards,
    write_shard,
)
from landmarks.store.tables import read_ids

IDS = np.array(["a", "b", "c", "d"], object)


def shards(folder):
    """a and b in the first shard, of which b is skipped; c and d in the second."""
    artefact = Artefact(folder, "extract", {}, {})
    artefact.begin()
    write_shard(folder, 0, np.array([[1.0, 2]]), {"b": "truncated"})
    write_shard(folder, 1, np.array([[3.0, 4], [5, 6]]), {})
    return artefact


def test_shards_are_read_as_one_matrix_without_the_skipped(tmp_path):
    artefact = shards(tmp_path)
    with pytest.raises(UserError, match="not finished"):
        read_descriptors(tmp_path)
    assert has_skipped(tmp_path, 0) and not has_skipped(tmp_path, 1)
    assert seal_shards(tmp_path, IDS) == {"b": "truncated"}
    artefact.finish(dimensions=2)
    read = read_descriptors(tmp_path)
    assert (
        read.ids.tolist() == ["a", "c", "d"]
        and np.asarray(read.matrix).tolist() == [[1, 2], [3, 4], [5, 6]]
        and read.matrix.dtype == np.float16
    )


def test_many_shards_are_not_open_at_once(tmp_path):
    """Train of Google Landmarks v2 has 2,000 of a model; a process may often open 1,024 files."""
    artefact, ids = Artefact(tmp_path, "extract", {}, {}), np.arange(120).astype(str).astype(object)
    artefact.begin()
    for number in range(120):
        write_shard(tmp_path, number, np.array([[1.0, number]]), {})
    seal_shards(tmp_path, ids)
    artefact.finish(dimensions=2)
    limits, there = resource.getrlimit(resource.RLIMIT_NOFILE), len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 40, limits[1]))
    try:
        several = [read_descriptors(tmp_path) for _ in range(3)]
        whole = np.asarray(several[0].matrix)
        some = several[2].matrix[np.arange(119, -1, -1)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert whole[:, 1].tolist() == list(range(120)) and some[:, 1].tolist() == list(range(119, -1, -1))


def test_a_shard_made_again_without_a_skipped_picture_forgets_it(tmp_path):
    shards(tmp_path)
    write_shard(tmp_path, 0, np.ones((2, 2)), {})
    assert not has_skipped(tmp_path, 0) and seal_shards(tmp_path, IDS) == {} and read_ids(tmp_path / "ids.csv").tolist() == IDS.tolist()


def test_without_any_image_there_is_an_empty_matrix_of_the_right_width(tmp_path):
    artefact = Artefact(tmp_path, "extract", {}, {})
    artefact.begin()
    seal_shards(tmp_path, IDS[:0])
    artefact.finish(dimensions=7)
    assert read_descriptors(tmp_path).matrix.shape == (0, 7)


def test_descriptors_for_ids_come_in_their_order_and_unknown_ids_are_left_out():
    descriptors = Descriptors(IDS, np.arange(8.0).reshape(4, 2))
    some = descriptors.for_ids(np.array(["d", "x", "a"], object))
    assert some.ids.tolist() == ["d", "a"] and np.asarray(some.matrix).tolist() == [[6, 7], [0, 1]]
    assert descriptors.for_ids(IDS.copy()) is descriptors


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((4, 2), int), "must be \\(images, dimensions\\) of floating point, not \\(4, 2\\) of int64"),
        (np.ones(4), "must be \\(images, dimensions\\)"),
        (np.ones((3, 2)), "3 descriptors for 4 ids"),
        (np.array([[1.0, 0], [0, 0], [1, 1], [1, 1]]), "descriptor of 'b' is zero or holds NaN or infinity"),
        (np.array([[1.0, 0], [1, 1], [1, np.nan], [1, 1]]), "descriptor of 'c' is zero or holds NaN"),
    ],
)
def test_a_matrix_that_cannot_be_searched_is_refused(tmp_path, matrix, message):
    with pytest.raises(UserError, match=message):
        check_descriptors(IDS, matrix, tmp_path)
    np.save(tmp_path / "index.npy", matrix)
    with pytest.raises(UserError, match=message):
        read_user_descriptors(tmp_path, "index", IDS)
