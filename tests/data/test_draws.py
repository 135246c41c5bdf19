import numpy as np
import pytest

from landmarks.data.draws import draw_epoch, epoch_length, occurrences

# 400 images of landmark 0, 100 of 1, 25 of 2, 4 of 3, one of 4; 5 has none (train.overfit)
COUNTS = [400, 100, 25, 4, 1, 0, 9]
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(7), COUNTS))


def draw(sampler, seed=0):
    return draw_epoch(LABELS, sampler, np.random.default_rng(seed))


def test_uniform_is_every_image_once():
    assert sorted(draw("uniform")) == list(range(len(LABELS))) and epoch_length(LABELS, "uniform") == 539
    np.testing.assert_array_equal(draw("uniform"), np.random.default_rng(0).permutation(539))  # as in earlier versions


def test_square_root_is_in_proportion_to_the_square_root():
    """Shares 20 : 10 : 5 : 2 : 1 : 0 : 3 of 539 images: 262.9, 131.5, 65.7, 26.3, 13.1, 0 and 39.4 times."""
    exact = 539 * np.sqrt(COUNTS) / np.sqrt(COUNTS).sum()
    totals = np.zeros(7)
    for seed in range(40):
        rows = draw("square_root", seed)
        times = np.bincount(LABELS[rows], minlength=7)
        assert len(rows) == epoch_length(LABELS, "square_root") == 539
        assert (np.abs(times - exact) < 1).all()
        per_image = np.bincount(rows, minlength=539)
        for landmark, count in enumerate(COUNTS):  # of the images of a landmark none comes twice more than another
            if count:
                assert np.ptp(per_image[LABELS == landmark]) <= 1
        totals += times
    np.testing.assert_allclose(totals / 40, exact, rtol=0.01)


def test_square_root_leaves_out_other_images_in_each_epoch():
    seen = [set(draw("square_root", seed)) for seed in range(12)]
    assert seen[0] != seen[1] and len(set.union(*seen)) == 539


def test_pairs_are_two_images_of_a_landmark():
    rows = draw("pairs").reshape(-1, 2)
    assert 2 * len(rows) == epoch_length(LABELS, "pairs") == 400 + 100 + 24 + 4 + 2 + 8
    assert (LABELS[rows[:, 0]] == LABELS[rows[:, 1]]).all()
    single = rows[LABELS[rows[:, 0]] == 4]
    assert single.shape == (1, 2) and single[0, 0] == single[0, 1]  # the only image twice
    others = rows[LABELS[rows[:, 0]] != 4].ravel()
    assert len(np.unique(others)) == len(others)
    left_out = [set(np.flatnonzero(LABELS == 2)) - set(draw("pairs", seed)) for seed in range(8)]
    assert all(len(one) == 1 for one in left_out) and len(set.union(*left_out)) > 1


@pytest.mark.parametrize("sampler", ["uniform", "square_root", "pairs"])
def test_the_same_seed_gives_the_same_epoch_in_no_order_of_landmarks(sampler):
    np.testing.assert_array_equal(draw(sampler), draw(sampler))
    assert not np.array_equal(draw(sampler), draw(sampler, 1))
    labels = LABELS[draw(sampler)]
    halves = np.bincount(labels[: len(labels) // 2], minlength=7)[0], np.bincount(labels[len(labels) // 2 :], minlength=7)[0]
    assert 0.7 < halves[0] / halves[1] < 1.4


def test_occurrences_count_earlier_ones():
    assert occurrences(np.array([3, 1, 3, 3, 2, 1])).tolist() == [0, 0, 1, 2, 0, 1]
    assert occurrences(np.array([], int)).tolist() == []
