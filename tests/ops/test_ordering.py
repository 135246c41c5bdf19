import numpy as np

from landmarks.ops.ordering import best_first, union_of_lists


def test_the_highest_score_comes_first_ties_keep_their_places_and_none_stays_last():
    indices = np.array([[4, 7, 2, -1], [5, 1, 3, 0]], np.int32)
    scores = np.array([[0.5, 0.75, 0.5, 9.0], [0.25, 0.25, 0.25, 0.5]])
    ordered, values = best_first(indices, scores)
    assert ordered.tolist() == [[7, 4, 2, -1], [0, 5, 1, 3]]
    assert values.tolist() == [[0.75, 0.5, 0.5, -np.inf], [0.5, 0.25, 0.25, 0.25]]
    assert ordered.dtype == np.int32 and values.dtype == np.float32


def test_equals_python_s_stable_sort():
    rng = np.random.default_rng(0)
    scores = rng.integers(-3, 4, (50, 12)) / 4
    indices = np.stack([rng.permutation(40)[:12] for _ in range(50)]).astype(np.int32)
    for row, none in zip(indices, rng.integers(0, 13, 50), strict=True):
        row[12 - none // 2 :] = -1
    ordered, _ = best_first(indices, scores)
    for row, values, result in zip(indices.tolist(), scores.tolist(), ordered.tolist(), strict=True):
        found = [pair for pair in zip(values, row, strict=True) if pair[1] >= 0]
        expected = [image for _, image in sorted(found, key=lambda pair: -pair[0])]
        assert result == expected + [-1] * (12 - len(expected))


def test_nothing_to_order():
    for shape in ((0, 3), (2, 0)):
        assert best_first(np.empty(shape, np.int32), np.empty(shape, np.float32))[0].shape == shape


def test_a_union_has_each_image_once_the_first_list_s_before_the_others():
    first = np.array([[3, 1, -1], [-1, -1, -1], [5, 6, 7]], np.int32)
    second = np.array([[1, 9], [4, -1], [7, 5]], np.int32)
    assert union_of_lists([first, second]).tolist() == [[3, 1, 9], [4, -1, -1], [5, 6, 7]]
    assert union_of_lists([first]).tolist() == first.tolist()
    assert union_of_lists([first[:0], second[:0]]).shape == (0, 0)


def test_a_union_equals_a_loop_over_its_lists():
    rng = np.random.default_rng(1)
    lists = [np.stack([rng.permutation(12)[:width] for _ in range(40)]).astype(np.int32) for width in (5, 7, 3)]
    for each in lists:
        each[::4, 2:] = -1
    found = union_of_lists(lists)
    for row, images in enumerate(found.tolist()):
        expected = list(dict.fromkeys(image for each in lists for image in each[row].tolist() if image >= 0))
        assert images == expected + [-1] * (found.shape[1] - len(expected))
