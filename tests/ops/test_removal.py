import numpy as np

from landmarks.ops.removal import remove_images


def test_random_lists_equal_the_plain_way():
    rng = np.random.default_rng(0)
    indices = np.stack([rng.permutation(20)[:8] for _ in range(50)]).astype(np.int32)
    scores = -np.sort(-rng.standard_normal((50, 8)).astype(np.float32), axis=1)
    indices[::5, 6:], scores[::5, 6:] = -1, -np.inf
    unwanted = [rng.permutation(20)[: rng.integers(0, 20)] for _ in range(50)]
    found, left = remove_images(indices, scores, unwanted)
    for row, values, images, new, kept in zip(indices, scores, unwanted, found, left, strict=True):
        pairs = [(image, value) for image, value in zip(row, values, strict=True) if image >= 0 and image not in images]
        assert new.tolist() == [image for image, _ in pairs] + [-1] * (8 - len(pairs))
        assert kept.tolist() == [value for _, value in pairs] + [-np.inf] * (8 - len(pairs))
    assert found.dtype == np.int32 and left.dtype == np.float32


def test_no_query():
    found, left = remove_images(np.empty((0, 4), np.int32), np.empty((0, 4), np.float32), [])
    assert found.shape == left.shape == (0, 4)
