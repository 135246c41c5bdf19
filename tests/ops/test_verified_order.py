import numpy as np

from landmarks.ops.verified_order import order_by_inliers

INDICES = np.array([[5, 3, 8, 1], [2, 7, -1, -1]], np.int32)
SCORES = np.array([[0.9, 0.8, 0.7], [0.5, 0.4, -np.inf]], np.float32)


def test_by_inliers_then_by_place_and_the_rest_stays():
    inliers = np.array([[4, 9, 4], [0, 12, 0]])
    assert order_by_inliers(INDICES, SCORES, inliers).tolist() == [[3, 5, 8, 1], [7, 2, -1, -1]]


def test_a_weighted_sum_saturates():
    inliers = np.array([[0, 20, 700], [70, 0, 0]])
    # 0.9, 0.8 + 0.14 * 20 / 70 = 0.84, 0.7 + 0.14 = 0.84: equal, so the nearer stays first
    assert order_by_inliers(INDICES, SCORES, inliers, weight=0.14, saturation=70).tolist()[0] == [5, 3, 8, 1]
    assert order_by_inliers(INDICES, SCORES, inliers, weight=0.5, saturation=70).tolist()[0] == [8, 3, 5, 1]


def test_equal_to_sorting_each_list_by_itself():
    random = np.random.default_rng(0)
    indices = np.stack([random.permutation(50)[:20] for _ in range(30)]).astype(np.int32)
    indices[random.random(30) < 0.3, 12:] = -1
    inliers = random.integers(0, 5, (30, 15)) * (indices[:, :15] >= 0)
    found = order_by_inliers(indices, np.zeros(inliers.shape, np.float32), inliers)
    for row, counts, after in zip(indices.tolist(), inliers.tolist(), found.tolist(), strict=True):
        places = sorted((place for place in range(15) if row[place] >= 0), key=lambda place: (-counts[place], place))
        wanted = [row[place] for place in places] + [-1] * (15 - len(places)) + row[15:]
        assert after == wanted


def test_no_query():
    assert order_by_inliers(INDICES[:0], SCORES[:0, :2], np.zeros((0, 2), int)).shape == (0, 4)
