import numpy as np
import pytest

from landmarks.extraction.features import as_stored, packed

RNG = np.random.default_rng(0)


def features(count):
    rows = RNG.standard_normal((count, 8)).astype(np.float32)
    return RNG.uniform(0, 99, (count, 4)).astype(np.float32), rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_pictures_are_packed_in_order_and_one_without_features_has_an_empty_range(storage):
    raw = [features(count) for count in (3, 0, 2)]
    whole = packed([as_stored(*one, storage) for one in raw], 8, storage)
    assert whole.offsets.tolist() == [0, 3, 3, 5] and whole.descriptors.dtype == storage
    np.testing.assert_array_equal(whole.keypoints, np.concatenate([keypoints for keypoints, _ in raw]))
    factors = 1 if whole.factors is None else whole.factors[:, None]
    np.testing.assert_allclose(factors * whole.descriptors, np.concatenate([rows for _, rows in raw]), atol=5e-3)


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_no_pictures_keep_dimensions_and_types(storage):
    none = packed([], 8, storage)
    assert none.descriptors.shape == (0, 8) and none.descriptors.dtype == storage and none.keypoints.shape == (0, 4)
    assert none.offsets.tolist() == [0] and (none.factors is None) == (storage == "float16")
