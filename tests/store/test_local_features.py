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


def part_of_three(folder, storage="int8"):
    path = part_path(folder, 0, ["a", "b", "c"])
    write_part(path, np.array(["a", "b", "c"], object), features_of([3, 0, 2], storage), {})
    return path


DAMAGE = {
    "beyond the end": ("offsets", np.array([0, 3, 3, 6])),
    "far beyond": ("offsets", np.array([0, 3, 3, 2**62])),
    "before the end": ("offsets", np.array([0, 3, 3, 4])),
    "falling": ("offsets", np.array([0, 3, 2, 5])),
    "negative": ("offsets", np.array([0, -3, 3, 5])),
    "not from 0": ("offsets", np.array([1, 3, 3, 5])),
    "too few": ("offsets", np.array([0, 3, 5])),
    "floating point": ("offsets", np.array([0, 3, 3, 5.0])),
    "a matrix": ("offsets", np.array([[0, 3, 3, 5]])),
    "fewer points": ("keypoints", np.zeros((4, 4), np.float32)),
    "flat points": ("keypoints", np.zeros((5, 2), np.float32)),
    "fewer descriptors": ("descriptors", np.zeros((4, DIMENSIONS), np.int8)),
    "cubes": ("descriptors", np.zeros((5, 2, 4), np.int8)),
    "text": ("descriptors", np.full((5, DIMENSIONS), "a")),
    "no factors": ("factors", np.zeros(0, np.float32)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path, name):
    path = part_of_three(tmp_path)
    array, value = DAMAGE[name]
    np.save(path.with_name(path.name.replace("offsets", array)), value)
    with pytest.raises(UserError, match="local features are damaged") as raised:
        LocalStore(tmp_path).for_ids(np.array(["c", "a"], object))
    assert str(raised.value.where).startswith(str(path).removesuffix("offsets.npy"))


def test_an_archive_and_a_missing_file_in_a_part_are_refused(tmp_path):
    path = part_of_three(tmp_path)
    points = path.with_name(path.name.replace("offsets", "keypoints"))
    with open(points, "wb") as file:
        np.savez(file, np.zeros((5, 4)))
    with pytest.raises(UserError, match="an archive of arrays"):
        LocalStore(tmp_path).for_ids(np.array(["a"], object))
    points.unlink()
    with pytest.raises(UserError, match="missing file"):
        LocalStore(tmp_path).for_ids(np.array(["a"], object))


def test_parts_of_another_kind_are_refused(tmp_path):
    part_of_three(tmp_path)
    write_part(part_path(tmp_path, 1, ["d"]), np.array(["d"], object), features_of([2], "float16"), {})
    with pytest.raises(UserError, match="not of the kind of those in the first part"):
        LocalStore(tmp_path).for_ids(np.array(["a", "d"], object))


def test_arrays_of_another_byte_order_hold_the_same_features(tmp_path):
    path = part_of_three(tmp_path, "float16")
    before = LocalStore(tmp_path).for_ids(np.array(["c", "a"], object))
    for name in ("descriptors", "keypoints", "offsets"):
        file = path.with_name(path.name.replace("offsets", name))
        array = np.load(file)
        np.save(file, array.astype(array.dtype.newbyteorder(">")))
    after = LocalStore(tmp_path).for_ids(np.array(["c", "a"], object))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
        assert other is None or other.dtype.isnative


@pytest.mark.parametrize("text", ["{}x", "[]", '{"a": 3}', "[" * 100_000])
def test_a_list_of_skipped_images_that_is_none_is_refused(tmp_path, text):
    path = part_path(tmp_path, 0, ["a", "b"])
    write_part(path, np.array(["a"], object), features_of([1], "int8"), {"b": "truncated"})
    next(tmp_path.glob("*.skipped.json")).write_text(text)
    with pytest.raises(UserError, match="not a list of skipped images"):
        LocalStore(tmp_path).skipped  # noqa: B018
