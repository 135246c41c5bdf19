import numpy as np
import pytest

from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.store.local_features import LocalStore, has_skipped, max_bytes_per_image, part_path, write_part

DIMENSIONS = 8


def features_of(counts, storage, seed=0):
    rng = np.random.default_rng(seed)
    total = sum(counts)
    return LocalFeatures(
        descriptors=rng.integers(-127, 128, (total, DIMENSIONS)).astype(storage),
        factors=rng.random(total).astype(np.float32) if storage == "int8" else None,
        keypoints=rng.random((total, 4)).astype(np.float32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def image(features, number):
    """One image's arrays, sliced one by one."""
    rows = slice(features.offsets[number], features.offsets[number + 1])
    return [array[rows].tolist() for array in (features.descriptors, features.keypoints, features.factors) if array is not None]


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_any_images_are_read_from_any_parts_in_any_order(tmp_path, storage):
    first, second = features_of([3, 0, 2], storage), features_of([0, 4], storage, seed=1)
    write_part(part_path(tmp_path, 0, ["a", "b", "c"]), np.array(["a", "b", "c"], object), first, {})
    write_part(part_path(tmp_path, 1, ["d", "e"]), np.array(["d", "e"], object), second, {})
    store = LocalStore(tmp_path)
    assert store.ids.tolist() == list("abcde") and store.counts().tolist() == [3, 0, 2, 0, 4]
    wanted = ["e", "b", "c", "a", "e"]
    found = store.for_ids(np.array(wanted, object))
    sources = {"a": (first, 0), "b": (first, 1), "c": (first, 2), "d": (second, 0), "e": (second, 1)}
    assert found.offsets.tolist() == [0, 4, 4, 6, 9, 13] and found.descriptors.dtype == storage
    for number, id in enumerate(wanted):
        assert image(found, number) == image(*sources[id])


def test_nothing_there_nothing_asked_for(tmp_path):
    store = LocalStore(tmp_path / "none")
    assert store.ids.tolist() == [] and store.rows(np.array(["a"], object)).tolist() == [-1] and store.skipped == {}
    assert store.for_ids(np.empty(0, object)).offsets.tolist() == [0]
    with pytest.raises(UserError, match="1 of 1 images have no local features, first 'a'"):
        store.for_ids(np.array(["a"], object))


def test_a_part_without_a_single_feature_is_whole(tmp_path):
    path = part_path(tmp_path, 0, ["a", "b"])
    write_part(path, np.array(["a"], object), features_of([0], "int8"), {"b": "truncated"})
    store = LocalStore(tmp_path)
    assert store.ids.tolist() == ["a"] and store.for_ids(store.ids).descriptors.shape == (0, DIMENSIONS)
    assert store.skipped == {"b": "truncated"} and has_skipped(path)
    write_part(path, np.array(["a", "b"], object), features_of([0, 0], "int8"), {})
    assert not has_skipped(path)


def test_a_part_that_was_cut_off_is_not_there(tmp_path):
    path = part_path(tmp_path, 0, ["a"])
    write_part(path, np.array(["a"], object), features_of([2], "float16"), {})
    path.unlink()
    assert LocalStore(tmp_path).ids.tolist() == []


def test_a_damaged_array_is_named(tmp_path):
    path = part_path(tmp_path, 0, ["a"])
    write_part(path, np.array(["a"], object), features_of([2], "float16"), {})
    keypoints = next(tmp_path.glob("*.keypoints.npy"))
    keypoints.write_bytes(keypoints.read_bytes()[:100])
    with pytest.raises(UserError, match="not a whole .npy file") as caught:
        LocalStore(tmp_path).for_ids(np.array(["a"], object))
    assert caught.value.where == keypoints


def test_parts_of_other_ids_have_other_names(tmp_path):
    assert part_path(tmp_path, 0, ["a", "b"]) == part_path(tmp_path, 0, np.array(["a", "b"], object))
    assert len({part_path(tmp_path, *part) for part in ((0, ["a", "b"]), (0, ["a"]), (1, ["a", "b"]))}) == 3


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_an_image_takes_no_more_than_it_is_said_to(tmp_path, storage):
    features = features_of([50] * 20, storage)
    write_part(part_path(tmp_path, 0, ["x"]), np.array([f"id{n}" for n in range(20)], object), features, {})
    taken = sum(file.stat().st_size for file in tmp_path.iterdir()) - 4 * 128  # four headers of .npy files
    assert 0.95 * taken <= 20 * max_bytes_per_image(50, DIMENSIONS, storage) and taken <= 20 * max_bytes_per_image(50, DIMENSIONS, storage)
