import numpy as np
import pytest
from scipy import linalg

from landmarks.ops.discriminant import auto_shrinkage, learn_discriminant, learn_shrunk_whitening
from landmarks.ops.vectors import l2_normalise


def photos(landmarks=12, images=9, dimensions=6, seed=0):
    """Images around the centre of their landmark: along the first two axes landmarks differ, along the last two images do."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((landmarks, dimensions)) * [2, 2, 1, 1, 0.1, 0.1]
    labels = np.repeat(np.arange(landmarks), images)
    return centres[labels] + random.standard_normal((len(labels), dimensions)) * [0.1, 0.1, 0.5, 0.5, 2, 2], labels


def test_equal_to_the_generalised_eigenproblem_worked_image_by_image():
    matrix, labels = photos()
    mean = matrix.mean(axis=0)
    from_centre = [row - matrix[labels == label].mean(axis=0) for row, label in zip(matrix, labels, strict=True)]
    within = sum(np.outer(row, row) for row in from_centre) / len(matrix)
    total = sum(np.outer(row - mean, row - mean) for row in matrix) / len(matrix)
    between = total - within
    between = 12 / 28 * between + 16 / 28 * np.trace(between) / np.trace(total) * total  # twelve landmarks, and sixteen for those unseen
    within = 0.8 * within + 0.2 * np.trace(within) / 6 * np.eye(6)
    values, axes = linalg.eigh(between, within)  # axes.T @ within @ axes = 1
    values, axes = values[::-1][:4], axes[:, ::-1][:, :4]
    wanted = l2_normalise((matrix - mean) @ axes * np.sqrt(values / (1 + values)))
    found = learn_discriminant(matrix, labels, 4, within=0.2)(matrix)
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-4)


@pytest.mark.parametrize("within", [0.1, None])
def test_images_of_a_landmark_come_together_that_were_apart(within):
    matrix, labels = photos(landmarks=30)
    same = labels[:, None] == labels
    before, after = l2_normalise(matrix), learn_discriminant(matrix, labels, 6, within)(matrix)
    gap = [similarity[same].mean() - similarity[~same].mean() for similarity in (before @ before.T, after @ after.T)]
    assert gap[1] > 1.3 * gap[0] > 0


def test_few_landmarks_do_not_leave_few_dimensions():
    matrix, labels = photos(landmarks=2)
    assert np.linalg.matrix_rank(learn_discriminant(matrix, labels, 4, 0.1)(matrix), tol=1e-3) == 4


def test_shrinkage_against_its_definition_image_by_image():
    random = np.random.default_rng(0)
    rows = random.standard_normal((40, 5)) * [3, 1, 1, 1, 0.2]
    covariance = sum(np.outer(row, row) for row in rows) / 40
    target = np.trace(covariance) / 5 * np.eye(5)
    noise = sum(((np.outer(row, row) - covariance) ** 2).sum() for row in rows) / 40**2
    wanted = 2 * np.sqrt(noise / ((covariance - target) ** 2).sum())
    assert auto_shrinkage(np.mean((rows**2).sum(axis=1) ** 2), covariance, 40) == pytest.approx(wanted)
    assert auto_shrinkage(25.0, np.eye(5), 10) == 1.0, "nothing but the identity to be seen"


def test_more_images_are_trusted_more():
    random = np.random.default_rng(0)
    spread = np.linspace(0.2, 3, 12)
    found = []
    for rows in (20, 200, 2000):
        x = random.standard_normal((rows, 12)) * spread
        found.append(auto_shrinkage(np.mean((x**2).sum(axis=1) ** 2), x.T @ x / rows, rows))
    assert 1 >= found[0] > found[1] > found[2] > 0


@pytest.mark.parametrize("labels", [np.zeros(9, int), np.arange(9)], ids=["one landmark", "one image each"])
def test_labels_that_tell_nothing_give_numbers(labels):
    matrix = np.random.default_rng(0).standard_normal((9, 5))
    assert np.isfinite(learn_discriminant(matrix, labels, 3)(matrix)).all()


def test_whitening_with_many_images_makes_the_covariance_the_identity():
    random = np.random.default_rng(0)
    matrix = random.standard_normal((200_000, 4)) * [3, 1, 1, 0.5]
    whitening = learn_shrunk_whitening(matrix)
    whitened = (matrix - whitening.mean) @ whitening.projection
    np.testing.assert_allclose(whitened.T @ whitened / len(matrix), np.eye(4), atol=0.1)


def test_whitening_with_few_images_blows_nothing_up():
    random = np.random.default_rng(0)
    matrix = random.standard_normal((5, 40))
    projection = learn_shrunk_whitening(matrix).projection
    assert projection.shape == (40, 40) and np.linalg.norm(projection, axis=0).max() < 5 * np.linalg.norm(projection, axis=0).min()


def test_copies_and_single_images():
    assert np.isfinite(learn_discriminant(np.ones((4, 3)), np.arange(4), 2)(np.ones((4, 3)))).all()
    assert np.isfinite(learn_shrunk_whitening(np.ones((4, 3)))(np.ones((4, 3)))).all()
    with pytest.raises(ValueError, match="two images"):
        learn_discriminant(np.ones((1, 3)), np.zeros(1, int), 2)
